// What the tests of sinks share: stanzas from YAML text, secrets in temporary files, incidents.
#pragma once

#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "config/config.h"
#include "config/node.h"
#include "sinks/sink.h"

namespace tocsin {

// The stanza as the loader hands it over.
inline SinkConfig Stanza(const std::string& yaml) {
  ErrorList errors;
  SinkConfig stanza;
  stanza.node = ParseYaml(yaml, "tocsin.yaml", &errors);
  if (const ConfigNode* name = stanza.node.Find("name")) stanza.name = name->scalar;
  if (const ConfigNode* kind = stanza.node.Find("kind")) stanza.kind = kind->scalar;
  return stanza;
}

// The errors of a stanza, one a line.
inline std::string StanzaErrors(const std::string& yaml) {
  ErrorList errors;
  const std::unique_ptr<Sink> sink =
      NewSink(Stanza(yaml), std::make_shared<MessageTemplates>(), &errors);
  std::string text;
  for (const ConfigError& error : errors.Sorted()) text += error.ToString() + "\n";
  if ((sink == nullptr) != !text.empty()) text += "(a sink, or none, against its errors)";
  return text;
}

// nullptr if the stanza is wrong.
inline std::unique_ptr<Sink> MakeSink(const std::string& yaml) {
  ErrorList errors;
  return NewSink(Stanza(yaml), std::make_shared<MessageTemplates>(), &errors);
}

// A file for the life of the object.
class SecretFile {
 public:
  explicit SecretFile(const std::string& content)
      : path_(testing::TempDir() + "secret_" + std::to_string(getpid()) + "_" +
              std::to_string(++Count())) {
    std::ofstream(path_, std::ios::binary) << content;
  }
  ~SecretFile() { std::remove(path_.c_str()); }
  SecretFile(const SecretFile&) = delete;
  SecretFile& operator=(const SecretFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  static int& Count() {
    static int count = 0;
    return count;
  }
  std::string path_;
};

inline Incident MakeIncident(const std::string& name) {
  Incident incident;
  incident.id = HashBytes(name);
  incident.number = "INC-2026-001";
  incident.severity = "SEV2";
  incident.severity_level = 2;
  incident.title = name;
  incident.scope_labels = {{"env", "prod"}};
  AppendKeyPart("prod", &incident.scope);
  incident.component = "api";
  incident.onset = 1'772'399'100 * kSecondUs;  // 2026-03-01T21:05:00Z
  incident.detected_at = incident.onset + 20 * kSecondUs;
  return incident;
}

inline Notification Notify(NotificationAction action, int level, const Incident& incident) {
  Notification notification;
  notification.action = action;
  notification.level = level;
  notification.incident = incident;
  notification.tick = incident.detected_at;
  return notification;
}

// The delivery of a trigger, as the outbox sends it.
inline Delivery MakeDelivery(NotificationAction action, int level, const Incident& incident) {
  Delivery delivery;
  delivery.sink = "oncall";
  delivery.incident = incident.id;
  delivery.level = level;
  delivery.action = action;
  delivery.id = DeliveryId("oncall", incident.id, level, action);
  delivery.dedup_key = Incident::DedupKey(incident.id, level);
  delivery.payload = incident.ToJson();
  delivery.attempts = 1;
  return delivery;
}

}  // namespace tocsin
