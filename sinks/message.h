// Messages about incidents: which stage's message is due, and the fields a template may use.
//
//   MessageStage stage = StageOf(incident);                 // kDeclared, …, kResolved
//   MessageFields fields = MessageFieldsOf(incident, public_names);
//   fields.texts["users"]                                   // "2,104 of 15,012 affected (14 %)"
//
// Every string is one line without control characters. Thread-safe: pure functions.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/delivery.h"
#include "core/incident.h"

namespace tocsin {

// kInternal is for responders, kPublic for a status page (no internal names), kEmail is the
// internal message with a subject line.
enum class MessageAudience : std::uint8_t { kInternal, kPublic, kEmail };
inline constexpr MessageAudience kMessageAudiences[] = {
    MessageAudience::kInternal, MessageAudience::kPublic, MessageAudience::kEmail};
std::string_view MessageAudienceName(MessageAudience audience);  // "internal"

// kIdentified is an update after a suspect is known.
enum class MessageStage : std::uint8_t { kDeclared, kUpdate, kIdentified, kMonitoring, kResolved };
inline constexpr MessageStage kMessageStages[] = {
    MessageStage::kDeclared, MessageStage::kUpdate, MessageStage::kIdentified,
    MessageStage::kMonitoring, MessageStage::kResolved};
std::string_view MessageStageName(MessageStage stage);  // "declared"

// The stage that matches the incident's current state.
MessageStage StageOf(const Incident& incident);

// The stage whose message a delivery sends. nullopt when it sends none: a resolve of a level that a
// higher one replaced ends that level's page, but not the incident.
std::optional<MessageStage> StageToTell(const Delivery& delivery, const Incident& incident);

// The fields that a template may use. An empty string counts as absent in a section. A list is a
// section; each of its items has its own strings.
struct MessageFields {
  using Texts = std::map<std::string, std::string>;
  Texts texts;
  std::map<std::string, std::vector<Texts>> lists;
};

// `public_names`: from a component to its name in public messages.
MessageFields MessageFieldsOf(const Incident& incident,
                              const std::map<std::string, std::string>& public_names);

}  // namespace tocsin
