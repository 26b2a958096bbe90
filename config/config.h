// A tocsin configuration, typed.
//
//   ErrorList errors;
//   std::optional<Config> config = LoadConfig("tocsin.yaml", &errors);   // or "@rupaya"
//   if (!errors.empty()) for (const ConfigError& e : errors.Sorted()) …
//
// The loader reads the file, resolves `extends:` (a file, relative to this one, or a built-in
// profile), merges, and checks everything that does not depend on a detector's or sink's kind.
// Detector and sink stanzas keep their node: the kind reads its own keys from it and reports into
// the same list, so that a new kind touches nothing here. Plain values; immutable once loaded,
// hence shareable.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/enrichment.h"
#include "config/hours.h"
#include "config/matcher.h"
#include "config/node.h"
#include "config/predicate.h"
#include "config/secret.h"
#include "core/event.h"
#include "core/operator_action.h"
#include "core/time.h"

namespace tocsin {

enum class StartAt : std::uint8_t { kNow, kEarliest };

struct KafkaInputConfig {
  std::string brokers;
  std::vector<std::string> topics;
  std::string group = "tocsin";
  StartAt start = StartAt::kNow;
  std::map<std::string, std::string> properties;  // passed to librdkafka as they are (TLS, SASL)
  // Those whose values are secrets, by librdkafka's name.
  std::map<std::string, SecretSource> secrets = {};

  // All of them, secrets read now. NotFound names the one that cannot be read.
  absl::StatusOr<std::map<std::string, std::string>> AllProperties() const;
};

struct FileInputConfig {
  std::string path;    // a file or a directory; "-" is stdin
  bool follow = true;  // go on reading as the file grows
};

// How requests of ours leave the machine.
struct TransportConfig {
  std::string ca_file;  // PEM; empty: the certificates that the system trusts
  std::string proxy;    // empty: what the environment says (https_proxy, no_proxy, …)
};

// Who may post to an input by HTTP. With a Kafka topic what comes is appended to that, else to
// segments in the state directory, which are then the input's file.
struct HttpInputConfig {
  std::string token_file;   // of bearer tokens, one a line
  std::string signature;    // whose scheme signs the bodies: a name of HttpSignatureNames; or empty
  std::string secret_file;  // the secrets that sign, one a line; not for "sns"
  std::vector<std::string> topics;  // of "sns": the ARNs whose messages are taken
  TransportConfig transport;        // of "sns": how its certificates are fetched
  bool open = false;                // anybody may post, from wherever the server listens
  int requests_per_second = 1'000;
  Location at;
};
std::vector<std::string> HttpSignatureNames();
// Whether only this machine reaches a server that listens there.
bool IsLoopback(const std::string& address);

// The server that such inputs share.
struct HttpServerConfig {
  std::string listen = "127.0.0.1:9465";
  std::string certificate_file, key_file;  // PEM; both or neither
  int connections_max = 1'024;
  std::int64_t body_bytes_max = 8 << 20;
  std::int64_t log_bytes_max = std::int64_t{1} << 30;  // of an input's segments
};

// Where a canonical field comes from in a user's own records: `time: ts`, `status: http.status`, or
// a constant: `type: {value: request}`.
struct FieldMapping {
  std::string target;  // a canonical field name, or "labels.x"
  std::string path;    // dotted; empty for a constant
  std::string constant;
  Location at;
};

struct InputConfig {
  std::string name;
  std::optional<KafkaInputConfig> kafka;  // exactly one of kafka and file
  std::optional<FileInputConfig> file;
  std::optional<HttpInputConfig> http;  // beside kafka, or with the file that it is appended to
  std::string format = "json";
  Location format_at;
  std::string message_format;  // of the messages that a format such as sns carries
  Location message_format_at;
  std::string preset;  // of format json: whose logs they are (ingest/fields/field_presets.h)
  Location preset_at;
  std::string signal;  // of format otlp-proto: "logs" or "metrics"
  Location signal_at;
  std::string pattern;  // of format regex
  Location pattern_at;
  // A multiple of the pane, at most 15 min; nullopt: as the format asks for (ingest/decoder.h).
  std::optional<DurationUs> delay = {};
  std::vector<FieldMapping> map;
  // Of time stamps in text that name no zone, and no year (syslog's); ingest/fields/text_time.h.
  std::optional<DurationUs> time_zone;  // offset from UTC
  int year = 0;                         // 0: the record's
  // Of records that say none themselves: of a file, when it was written. Not a key: `decode` and
  // `replay` say it. kNoTime: what needs one is undecodable.
  TimeUs record_time = kNoTime;
  std::shared_ptr<const Enrichment> enrichment = {};  // the configuration's, for all inputs
  Location at;
};

struct DetectorConfig {
  std::string name;
  std::string kind;
  ConfigNode node;  // the whole stanza; detectors/registry.h reads it
};

struct SinkConfig {
  std::string name;
  std::string kind;
  ConfigNode node;  // the whole stanza; sinks/registry.h reads it
};

// First match wins unless it says `continue: true`. An empty list matches everything, except that a
// sink that pages people hears only of paging levels unless the route names the level.
struct RouteConfig {
  std::vector<int> levels;
  std::vector<std::string> services, environments, categories;
  std::vector<std::string> teams;
  std::vector<std::string> team_services = {};  // what `teams:` says those own
  // Each must be on the scope or on a signal, with one of the values.
  std::map<std::string, std::vector<std::string>> labels = {};
  std::optional<WeekHours> during = {}, outside = {};
  std::vector<std::string> to;
  bool proceed = false;
  Location at;
};

// The names of the four levels and what each implies.
struct SeverityScheme {
  std::array<std::string, 4> names = {"SEV1", "SEV2", "SEV3", "SEV4"};
  // Absent: the next business day.
  std::array<std::optional<DurationUs>, 4> respond_within = {5 * kMinuteUs, 15 * kMinuteUs, kHourUs,
                                                             std::nullopt};
  std::array<std::optional<DurationUs>, 4> update_every = {15 * kMinuteUs, 30 * kMinuteUs,
                                                           std::nullopt, std::nullopt};
  std::array<std::vector<std::string>, 4> escalate_to;
  std::array<bool, 4> pages = {true, true, false, false};
  // Above so many users with a failed event an incident has at least this level; where `down`, only
  // if a service is down. Sorted by `above`, largest first.
  struct UsersRule {
    double above = 0;
    int level = 0;
    bool down = false;
    bool operator==(const UsersRule&) const = default;
  };
  std::vector<UsersRule> users_share;  // of users_total
  std::vector<UsersRule> users_count;
  std::optional<std::int64_t> users_total;  // configured; else distinct users of the last 60 min
  // Who else is called when a page was not acknowledged for so long; by level, in order of time.
  struct EscalationStep {
    DurationUs after = 0;
    std::vector<std::string> to;
  };
  std::array<std::vector<EscalationStep>, 4> escalation;
  // Environments in which no level pages.
  std::vector<std::string> quiet_environments = {"dev", "development", "qa", "staging", "test"};
  // An incident with a firing signal of this category has at least this level; 0: no such rule. By
  // Category.
  std::array<int, 5> category_level = {};
  // An incident that still fails this long after its suspected deploy was rolled back has level 1.
  std::optional<DurationUs> level_1_after_rollback;
};

struct CorrelateConfig {
  DurationUs join_window = 5 * kMinuteUs;  // onset distance within which signals join
  // What begins within this of one another is one incident, whatever it is about
  // (correlate/coincidence.h). 0: never.
  DurationUs coincidence = 45 * kSecondUs;
  DurationUs watch = 3 * kMinuteUs;  // all clear for this long before it resolves
  // Sinks hear of the end only this long after it; until then what fires again is the same incident
  // and no new page.
  DurationUs reopen_within = 0;
  // Each time but the first that an incident fires again while it is watched, it is watched twice
  // as long (correlate/lifecycle.h).
  bool flap_damping = true;
  DurationUs deploy_window = 30 * kMinuteUs;  // a deploy this recent is a suspect
  // service → what it needs. As a key "*" is every service, as a value every dependency
  // (correlate/topology.h).
  std::map<std::string, std::vector<std::string>> topology;
  // Dependencies that others run, beside those whose name is a public host.
  std::vector<std::string> external = {};
  std::string runbook;  // link shown with every incident
};

// Advice and runbook by detector name; read from the stanzas for the correlator.
struct DetectorAdvice {
  std::vector<std::string> advice;
  std::string runbook;
  std::string title;
  std::vector<std::string> escalate_to = {};  // beyond those of the severity scheme
  // By classification: "attack", "botnet" (else as attack), "surge", "client".
  std::map<std::string, std::vector<std::string>> advice_if = {};
};

// The detector name of the self-alarm that a series limit was reached
// (engine/series_limit_alarm.h). Every config has its advice; no stanza may take the name.
inline constexpr char kSeriesLimitAlarm[] = "tocsin-series-limit";

// While a signal that matches `when` fires, one of its scope that matches `mute`, and has the same
// values of the labels `equal`, pages nobody.
struct InhibitRule {
  std::string name;
  std::vector<Matcher> when, mute;
  std::vector<std::string> equal;
};

// When the engine says by a page that it is blind (service/watch.h).
struct BlindConfig {
  std::string name = "tocsin";         // of the page's key, "<name>:blind"
  DurationUs after = kMinuteUs;        // what blinds it has to last so long
  DurationUs lag_max = 5 * kMinuteUs;  // an input further behind than this blinds
  double late_share = 0.2;             // as do more events that came too late, or from the future
  std::vector<std::string> to;         // sinks; empty: all that page people
  Location to_at;
};

// A request that is only made while everything works: whoever misses it raises the alarm.
struct HeartbeatConfig {
  std::string url = {}, url_file = {};  // exactly one; the file holds the URL, if that is a secret
  DurationUs every = kMinuteUs;
  TransportConfig transport = {};
};

struct LimitsConfig {
  double false_pages_per_series_week = 0.001;
  std::int64_t series_expected = 1;  // the number of series in h: configured, not live
  std::size_t series_max = 200'000;
};

struct Config {
  std::string source;  // as given: the path or "@profile"
  ConfigNode tree;     // the whole, with what it extends
  DurationUs pane = 10 * kSecondUs;
  std::vector<FieldRef> scope;  // default {env}
  std::vector<InputConfig> inputs;
  HttpServerConfig http;
  std::shared_ptr<const Enrichment> enrichment = {};  // of whatever is read; null: none
  std::vector<DetectorConfig> detectors;
  std::map<std::string, DetectorAdvice> advice;
  std::vector<SinkConfig> sinks;
  std::vector<RouteConfig> routes;
  // Decides and records, and tells nobody outside this machine (sinks/sink.h, `local`).
  bool shadow = false;
  SeverityScheme severity;
  CorrelateConfig correlate;
  std::vector<Silence> silences;  // planned ones: maintenance windows
  std::vector<InhibitRule> inhibit;
  BlindConfig blind;
  std::optional<HeartbeatConfig> heartbeat;
  ConfigNode templates;  // of messages, as written (sinks/message_templates.h); null: none
  LimitsConfig limits;
  std::string state_dir = "./state";
  std::string listen = "127.0.0.1:9464";  // metrics, health and the API; "off" serves nothing
  // Further names under which this machine is reached over HTTP, in lower case
  // (transport/host_policy.h).
  std::vector<std::string> hosts = {};
  // Whose first line acts by HTTP must show; empty: the file `token` in the state directory, which
  // acts from this machine need not show.
  std::string api_token_file;
  std::string pagerduty_webhook_secret_file;  // PagerDuty's secrets, one a line; empty: none
  DurationUs ready_lag_max = 60 * kSecondUs;  // /readyz fails beyond

  // Names of the scope fields, "env".
  std::vector<std::string> ScopeNames() const;
};

// The top-level keys whose values differ, sorted.
std::vector<std::string> ChangedKeys(const Config& before, const Config& after);

// nullopt when the file cannot be read or any error was found in it; the errors say why.
std::optional<Config> LoadConfig(const std::string& path_or_profile, ErrorList* errors);

// What could be read of it, also where errors were found: to look for more of them in what the
// kinds read. nullopt only when there is no such file.
std::optional<Config> ReadConfig(const std::string& path_or_profile, ErrorList* errors);

// The same from text, for tests and the demo. Relative paths resolve against the working directory.
std::optional<Config> LoadConfigText(const std::string& text, const std::string& name,
                                     ErrorList* errors);
Config ReadConfigText(const std::string& text, const std::string& name, ErrorList* errors);

// The built-in profiles, "rupaya" …, sorted; and one's YAML (empty if there is none).
std::vector<std::string> ProfileNames();
std::string_view ProfileText(std::string_view name);

}  // namespace tocsin
