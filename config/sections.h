// The sections of a configuration, one function each; what loader.cc puts together.
//
//   if (const ConfigNode* node = root.Node("severity")) ReadSeverity(*node, &errors,
//   &config.severity);
//
// Each takes the section's node and fills in what it says, leaves defaults where it says nothing,
// and reports what is wrong. Internal to config/.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "config/node.h"

namespace tocsin {

// What an input's stanza does not say itself.
struct InputSurroundings {
  DurationUs pane = 10 * kSecondUs;  // decides which delays are possible
  bool pane_is_sound = true;         // else it is the default, for want of what was meant
  std::string state_dir;             // where what comes by HTTP is kept
  bool http_is_local = true;         // nobody but this machine can post
};
// inputs.cc
std::vector<InputConfig> ReadInputs(const ConfigNode& list, const InputSurroundings& surroundings,
                                    ErrorList* errors);

// http.cc
HttpServerConfig ReadHttpServer(const ConfigNode& node, ErrorList* errors);
HttpInputConfig ReadHttpInput(const ConfigNode& node, const std::string& what, bool is_local,
                              ErrorList* errors);
// The key `hosts`: names without a port, in lower case.
std::vector<std::string> ReadHosts(ConfigReader* reader);
// The key `listen`: host:port, or "off".
std::string ReadListen(ConfigReader* reader, const std::string& fallback);

// blind.cc
BlindConfig ReadBlind(const ConfigNode& node, ErrorList* errors);
HeartbeatConfig ReadHeartbeat(const ConfigNode& node, ErrorList* errors);

// severity.cc
void ReadSeverity(const ConfigNode& node, ErrorList* errors, SeverityScheme* scheme);
// A level as 1 to 4 or as one of the scheme's names; 0 after an error. Where the names could not be
// read (they are empty), what may be one is 0 without an error.
int ReadLevel(const ConfigNode& node, std::string_view name, const SeverityScheme& scheme,
              ErrorList* errors);

// stanzas.cc
std::vector<DetectorConfig> ReadDetectors(const ConfigNode& list, ErrorList* errors,
                                          std::map<std::string, DetectorAdvice>* advice);
std::vector<SinkConfig> ReadSinks(const ConfigNode& list, ErrorList* errors);
// What `match` of a route may name.
struct RouteNames {
  std::vector<std::string> sinks;
  bool all_sinks_named = true;  // else one that is not among them may be meant
  std::map<std::string, WeekHours> hours;
  bool hours_read = true;                                 // the same
  std::map<std::string, std::vector<std::string>> teams;  // and the services each owns
};
std::vector<RouteConfig> ReadRoutes(const ConfigNode& list, const RouteNames& names,
                                    const SeverityScheme& scheme, ErrorList* errors);
// The section `teams`: the services that each owns.
std::map<std::string, std::vector<std::string>> ReadTeams(const ConfigNode& node,
                                                          ErrorList* errors);

// muting.cc
std::vector<Silence> ReadSilences(const ConfigNode& list, ErrorList* errors);
std::vector<InhibitRule> ReadInhibitRules(const ConfigNode& list, ErrorList* errors);

// The maps of a list of named stanzas (`what` names one: "detector"), without those that say
// `disabled: true` and without that key. Names must be there, be plain and differ; a stanza of
// which that is not so is reported, and is there all the same, for what else may be wrong with it.
std::vector<ConfigNode> NamedStanzas(const ConfigNode& list, const std::string& what,
                                     ErrorList* errors);
// The name of one of these; "" where it has none.
std::string StanzaName(const ConfigNode& stanza);

}  // namespace tocsin
