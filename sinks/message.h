// What people are told about an incident in words: which message is due, and what may stand in it.
//
//   MessageStage stage = StageOf(incident);                 // kDeclared, …, kResolved
//   MessageFields fields = MessageFieldsOf(incident, public_names);
//   fields.texts["users"]                                   // "2,104 of 15,012 affected (14 %)"
//
// Every text is on one line, without control characters. Thread-safe: pure functions.
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

// kInternal is for those who work on it, kPublic for a status page: no name of ours, kEmail is the
// internal one with a subject line.
enum class MessageAudience : std::uint8_t { kInternal, kPublic, kEmail };
inline constexpr MessageAudience kMessageAudiences[] = {
    MessageAudience::kInternal, MessageAudience::kPublic, MessageAudience::kEmail};
std::string_view MessageAudienceName(MessageAudience audience);  // "internal"

// kIdentified is an update that names a suspect.
enum class MessageStage : std::uint8_t { kDeclared, kUpdate, kIdentified, kMonitoring, kResolved };
inline constexpr MessageStage kMessageStages[] = {
    MessageStage::kDeclared, MessageStage::kUpdate, MessageStage::kIdentified,
    MessageStage::kMonitoring, MessageStage::kResolved};
std::string_view MessageStageName(MessageStage stage);  // "declared"

// The message that fits the incident as it stands.
MessageStage StageOf(const Incident& incident);

// The message that a delivery is about. nullopt where it tells people nothing: it ends only the page
// of a level that a higher one has replaced, not the incident.
std::optional<MessageStage> StageToTell(const Delivery& delivery, const Incident& incident);

// What a template may name. A text that is empty counts as absent in a section; a list is a section
// whose items have texts of their own.
struct MessageFields {
  using Texts = std::map<std::string, std::string>;
  Texts texts;
  std::map<std::string, std::vector<Texts>> lists;
};

// `public_names`: what a component is called where customers read it.
MessageFields MessageFieldsOf(const Incident& incident,
                              const std::map<std::string, std::string>& public_names);

}  // namespace tocsin
