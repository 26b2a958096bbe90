#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "config/transport.h"
#include "sinks/sink.h"
#include "sinks/stanza.h"

namespace tocsin {

// One factory per file of kinds/. It reads its keys from the reader; after an error it returns
// nullptr or a sink that must not be used. The table is explicit, since the linker drops
// self-registering objects that nothing refers to.
using SinkFactory = std::unique_ptr<Sink> (*)(const std::string& name, ConfigReader* reader);
std::unique_ptr<Sink> NewAlertmanagerSink(const std::string& name, ConfigReader* reader);
std::unique_ptr<Sink> NewEmailSink(const std::string& name, ConfigReader* reader);
std::unique_ptr<Sink> NewFileSink(const std::string& name, ConfigReader* reader);
std::unique_ptr<Sink> NewGithubSink(const std::string& name, ConfigReader* reader);
std::unique_ptr<Sink> NewGitlabSink(const std::string& name, ConfigReader* reader);
std::unique_ptr<Sink> NewJiraSink(const std::string& name, ConfigReader* reader);
std::unique_ptr<Sink> NewKafkaSink(const std::string& name, ConfigReader* reader);
std::unique_ptr<Sink> NewPagerDutySink(const std::string& name, ConfigReader* reader);
std::unique_ptr<Sink> NewSlackSink(const std::string& name, ConfigReader* reader);
std::unique_ptr<Sink> NewStatuspageSink(const std::string& name, ConfigReader* reader);
std::unique_ptr<Sink> NewStdoutSink(const std::string& name, ConfigReader* reader);
std::unique_ptr<Sink> NewWebhookSink(const std::string& name, ConfigReader* reader);

namespace {

struct KindRow {
  std::string_view kind;
  SinkFactory factory;
  bool words = false;  // renders messages from templates
  bool local = false;
  bool by_curl = true;  // sends through libcurl; ignored for local sinks
  int per_minute = 0;   // the receiver's documented rate limit, in requests; 0: none
};

constexpr int kPerMinuteMax = 60'000;

constexpr KindRow kKinds[] = {
    {.kind = "alertmanager", .factory = NewAlertmanagerSink},
    {.kind = "email", .factory = NewEmailSink, .words = true},
    {.kind = "file", .factory = NewFileSink, .local = true},
    // Limit for requests that create content:
    // https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
    {.kind = "github", .factory = NewGithubSink, .words = true, .per_minute = 80},
    {.kind = "gitlab", .factory = NewGitlabSink, .words = true},
    {.kind = "jira", .factory = NewJiraSink, .words = true},
    {.kind = "kafka", .factory = NewKafkaSink, .by_curl = false},
    {.kind = "pagerduty", .factory = NewPagerDutySink},
    {.kind = "slack", .factory = NewSlackSink, .words = true, .per_minute = 60},
    {.kind = "statuspage", .factory = NewStatuspageSink, .words = true, .per_minute = 60},
    {.kind = "stdout", .factory = NewStdoutSink, .local = true},
    {.kind = "webhook", .factory = NewWebhookSink},
};

// `names` are those of all sinks.
void CheckFallback(const SinkConfig& stanza, const std::vector<std::string>& names,
                   ErrorList* errors) {
  const ConfigNode* fallback = stanza.node.Find("fallback");
  if (fallback == nullptr || fallback->kind != ConfigNode::Kind::kScalar) return;
  const bool known = std::find(names.begin(), names.end(), fallback->scalar) != names.end();
  const bool all_named = std::find(names.begin(), names.end(), "") == names.end();
  if (fallback->scalar.empty() || (known && fallback->scalar != stanza.name)) return;
  if (!known && !all_named) return;  // it may mean a sink whose name is missing
  errors->AddMissing(fallback->at, absl::StrCat("fallback '", fallback->scalar,
                                                "' is not another sink (sinks are ",
                                                absl::StrJoin(names, ", "), ")"));
}

}  // namespace

std::vector<std::string> SinkKinds() {
  std::vector<std::string> kinds;
  for (const KindRow& row : kKinds) kinds.emplace_back(row.kind);
  return kinds;
}

std::unique_ptr<Sink> NewSink(const SinkConfig& stanza,
                              std::shared_ptr<const MessageTemplates> templates,
                              ErrorList* errors) {
  const std::size_t before = errors->count();
  std::unique_ptr<Sink> sink;
  const auto row = std::find_if(std::begin(kKinds), std::end(kKinds),
                                [&](const KindRow& each) { return each.kind == stanza.kind; });
  ConfigReader reader(stanza.node, absl::StrCat("sink ", stanza.name), errors);
  reader.String("name");
  reader.String("kind");
  if (row == std::end(kKinds)) {
    // Keys that most kinds have. The others cannot be checked without a known kind.
    reader.String("fallback");
    reader.Int("requests_per_minute", 0, 0, kPerMinuteMax);
    ReadTransport(&reader);
    if (stanza.kind.empty()) return nullptr;  // the configuration reader has reported that
    const std::string nearest = Nearest(stanza.kind, SinkKinds());
    reader.Error("kind", absl::StrCat("unknown kind of sink '", stanza.kind, "' (kinds are ",
                                      absl::StrJoin(SinkKinds(), ", "), ")",
                                      nearest.empty() ? "" : "; did you mean '", nearest,
                                      nearest.empty() ? "" : "'?"));
  } else {
    const std::string fallback = reader.String("fallback");
    sink = row->factory(stanza.name, &reader);
    TransportConfig transport;
    std::int64_t per_minute = 0;
    if (!row->local) {
      per_minute = reader.Int("requests_per_minute", row->per_minute, 0, kPerMinuteMax);
    }
    if (!row->local && row->by_curl) {
      transport = ReadTransport(&reader);
    }
    const ConfigNode* words = row->words ? reader.Node("templates") : nullptr;
    if (words != nullptr) {
      templates = std::make_shared<const MessageTemplates>(
          ReadMessageTemplates(*words, errors, *templates));
    }
    reader.Finish();
    if (sink != nullptr) {
      sink->fallback_ = fallback;
      sink->local_ = row->local;
      if (per_minute > 0) sink->pace_ = kMinuteUs / per_minute;
      sink->transport_ = std::move(transport);
      sink->templates_ = std::move(templates);
    }
  }
  return errors->count() == before ? std::move(sink) : nullptr;
}

std::vector<std::unique_ptr<Sink>> NewSinks(const Config& config, ErrorList* errors) {
  std::vector<std::unique_ptr<Sink>> sinks;
  std::vector<std::string> names;
  for (const SinkConfig& stanza : config.sinks) names.push_back(stanza.name);
  const auto templates =
      std::make_shared<const MessageTemplates>(ReadMessageTemplates(config.templates, errors));
  for (const SinkConfig& stanza : config.sinks) {
    const std::size_t before = errors->count();
    std::unique_ptr<Sink> sink = NewSink(stanza, templates, errors);
    CheckFallback(stanza, names, errors);
    if (errors->count() != before || sink == nullptr) continue;
    sink->withheld_ = config.shadow && !sink->local();
    sinks.push_back(std::move(sink));
  }
  return sinks;
}

}  // namespace tocsin
