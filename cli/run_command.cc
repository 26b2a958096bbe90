// `tocsin run`: the pipeline, its HTTP server, and the signals that end and reload it.

#include <signal.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "api/api.h"
#include "api/metrics.h"
#include "api/status_json.h"
#include "cli/commands.h"
#include "cli/config_check.h"
#include "cli/stderr_log.h"
#include "config/secret_file.h"
#include "core/status_macros.h"
#include "service/pipeline.h"
#include "system/await_for.h"
#include "system/private_files.h"
#include "transport/host_policy.h"
#include "transport/http_server.h"
#include "transport/line_output.h"

namespace tocsin {
namespace {

// How often the main thread looks whether it should end; nothing else depends on it.
constexpr absl::Duration kWatchEvery = absl::Milliseconds(100);
// SIGTERM is answered with the end within ten seconds.
constexpr absl::Duration kStopMax = absl::Milliseconds(9'500);
// People, their tools and Prometheus; an address may have half of it.
constexpr std::size_t kConnectionsMax = 256;

// Set by the signal handlers; sig_atomic_t because nothing else is safe there.
volatile sig_atomic_t stop_requested = 0;
volatile sig_atomic_t reload_requested = 0;

void RequestStop(int) { stop_requested = 1; }
void RequestReload(int) { reload_requested = 1; }

void CatchSignals() {
  struct sigaction action {};
  action.sa_handler = RequestStop;
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  struct sigaction before {};
  sigaction(SIGHUP, nullptr, &before);
  action.sa_handler = RequestReload;
  // Under nohup a terminal that closes is nobody's wish.
  if (before.sa_handler != SIG_IGN) sigaction(SIGHUP, &action, nullptr);
  // A receiver that closes its socket is an error of that delivery, not the end of the program.
  signal(SIGPIPE, SIG_IGN);
}

// What the HTTP server answers from, with the tokens and secrets as they were read last.
class Api {
 public:
  Api(const Config* config, Pipeline* pipeline)
      : config_(*config),
        pipeline_(*pipeline),
        host_policy_({.listen = config->listen, .hosts = config->hosts}) {}

  // Reads tokens and secrets; on failure those that were there stay.
  absl::Status Load() {
    auto context = std::make_shared<ApiContext>();
    context->incidents = &pipeline_.incidents();
    context->silences = [this] { return pipeline_.silences(); };
    context->planned = config_.silences;
    context->submit = [this](const OperatorAction& act) { return pipeline_.Submit(act); };
    context->now = [this] { return pipeline_.time().Wall(); };
    context->deliveries = [this](const Hash128& id) { return pipeline_.DeliveriesOf(id); };
    context->retry_parked = [this](const Hash128& id) { return pipeline_.RetryParked(id); };
    context->status = [this] { return StatusJson(pipeline_.Snapshot(), pipeline_.time().Wall()); };
    context->loopback = IsLoopback(config_.listen);
    context->host_policy = &host_policy_;
    TOCSIN_ASSIGN_OR_RETURN(context->token, ReadToken(config_.api_token_file));
    context->token_required = !context->token.empty();
    if (!context->token_required) context->token = OwnToken();
    TOCSIN_ASSIGN_OR_RETURN(context->pagerduty_secrets,
                            ReadSecrets(config_.pagerduty_webhook_secret_file));
    absl::MutexLock lock(&mutex_);
    context_ = std::move(context);
    return absl::OkStatus();
  }

  HttpServer::Admission Admit(const HttpRequest& head) const { return AdmitApi(head, *Context()); }

  HttpResponse Answer(const HttpRequest& request, const HttpServer& http) const {
    const std::string path = request.target.substr(0, request.target.find('?'));
    if (path.starts_with("/api/")) return AnswerApi(request, *Context());
    if (path == "/healthz") return {.body = "alive\n"};
    if (path == "/metrics") {
      PipelineStatus status = pipeline_.Snapshot();
      status.connections["api"] = http.counters();
      return {.content_type = "text/plain; version=0.0.4; charset=utf-8",
              .body = MetricsText(status)};
    }
    if (path == "/readyz") return Readiness(pipeline_.Snapshot());
    return {.status = 404, .body = "not found: /metrics, /healthz, /readyz and /api/v1 are here\n"};
  }

 private:
  static HttpResponse Readiness(const PipelineStatus& status) {
    if (!status.assigned) return {.status = 503, .body = "not ready: " + status.not_ready + "\n"};
    if (status.blind.blind) {
      return {.status = 503,
              .body = "not ready: blind: " + absl::StrJoin(status.blind.reasons, "; ") + "\n"};
    }
    if (!status.caught_up) {
      return {.status = 503,
              .body = "not ready: " + FormatDuration(FloorTo(status.lag, kSecondUs)) + " behind\n"};
    }
    return {.body = "ready\n"};
  }

  // Without one people on other machines cannot act, which is no reason not to page.
  std::string OwnToken() const {
    absl::Status status = MakePrivateDirectory(config_.state_dir);
    absl::StatusOr<std::string> token;
    if (status.ok()) {
      token = EnsureToken(OwnTokenFile(config_.state_dir));
      status = token.status();
    }
    if (status.ok()) return *std::move(token);
    spdlog::warn("no token for the API: {}", std::string(status.message()));
    return "";
  }

  std::shared_ptr<const ApiContext> Context() const {
    absl::MutexLock lock(&mutex_);
    return context_;
  }

  const Config& config_;
  Pipeline& pipeline_;
  const HostPolicy host_policy_;
  mutable absl::Mutex mutex_;
  std::shared_ptr<const ApiContext> context_ ABSL_GUARDED_BY(mutex_);
};

// Ends the process when a stop takes longer than whoever asked for it waits: each part of it has a
// limit of its own, but not what they add up to, nor a call to the system. Nothing is lost by it
// that a crash would not lose.
class StopDeadline {
 public:
  StopDeadline()
      : thread_([this] {
          absl::MutexLock lock(&mutex_);
          if (AwaitFor(&mutex_, absl::Condition(&ended_), kStopMax)) return;
          std::fputs("tocsin: stopping takes too long; ending without waiting for it\n", stderr);
          std::_Exit(kEnvironment);
        }) {}
  ~StopDeadline() {
    {
      absl::MutexLock lock(&mutex_);
      ended_ = true;
    }
    thread_.join();
  }
  StopDeadline(const StopDeadline&) = delete;
  StopDeadline& operator=(const StopDeadline&) = delete;

 private:
  absl::Mutex mutex_;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

// Where it can be reached.
void SayThatItRuns(const HttpServer& http, const Pipeline& pipeline, bool serves) {
  if (serves) spdlog::info("running; metrics, health and API on port {}", http.port());
  if (pipeline.http_port() != 0) {
    spdlog::info("inputs by HTTP on port {}: POST /v1/sources/NAME", pipeline.http_port());
  }
}

// What one machine can take over while it runs: secrets, tokens and certificates. Of the rest it
// says whether it would be taken at the next start.
void Reload(const std::string& path, const Config& running, Pipeline* pipeline, Api* api) {
  ErrorList errors(ErrorList::Secrets::kNeeded);
  const std::optional<Config> config = CheckedConfig(path, &errors);
  for (const ConfigError& error : errors.Sorted()) spdlog::error("{}", error.ToString());
  if (!config) {
    spdlog::error("the configuration is invalid now: the running one stays");
  } else if (const std::vector<std::string> changed = ChangedKeys(running, *config);
             !changed.empty()) {
    spdlog::warn("the configuration has changed: restart to apply {}",
                 absl::StrJoin(changed, ", "));
  }
  absl::Status status = pipeline->Reload();
  status.Update(api->Load());
  if (status.ok()) {
    spdlog::info("tokens, secrets and certificates were read again");
  } else {
    spdlog::error("not all was read again, what is named stays as it was: {}",
                  std::string(status.message()));
  }
}

}  // namespace

int Run(const RunCommand& command) {
  if (const absl::Status paths = CheckOutputPaths(command.incidents, command.signals);
      !paths.ok()) {
    spdlog::error("{}", std::string(paths.message()));
    return kUsage;
  }
  const std::optional<Config> config = LoadOrExplain(command.config, ErrorList::Secrets::kNeeded);
  if (!config) return kFinding;
  CatchSignals();
  StderrLog log;
  Pipeline pipeline({.config = &*config,
                     .incidents_path = command.incidents,
                     .signals_path = command.signals,
                     .on_decision = nullptr,
                     .threads = command.threads});
  Api api(&*config, &pipeline);
  if (const absl::Status loaded = api.Load(); !loaded.ok()) return ExitWith(loaded);
  HttpServer* server = nullptr;
  HttpServer http({.address = config->listen,
                   .connections_max = kConnectionsMax,
                   .admit = [&api](const HttpRequest& head) { return api.Admit(head); }},
                  [&](const HttpRequest& request) { return api.Answer(request, *server); });
  server = &http;
  const bool serves = config->listen != "off";
  // First, so that an address that is taken is found before anybody is paged.
  if (serves) {
    const absl::Status listening = http.Start();
    if (!listening.ok()) return ExitWith(listening);
  }
  absl::Status status = pipeline.Start();
  if (status.ok()) {
    bool runs = pipeline.running();
    if (runs) SayThatItRuns(http, pipeline, serves);
    while (stop_requested == 0 && pipeline.status().ok() && !pipeline.Finished()) {
      absl::SleepFor(kWatchEvery);
      if (!runs && pipeline.running()) {
        runs = true;
        SayThatItRuns(http, pipeline, serves);
        // What kept the state from being opened has kept the token from being made.
        api.Load().IgnoreError();
      }
      if (std::exchange(reload_requested, 0) != 0) {
        Reload(command.config, *config, &pipeline, &api);
      }
    }
    spdlog::info("stopping");
  }
  std::optional<StopDeadline> deadline;
  if (stop_requested != 0) deadline.emplace();
  http.Stop();
  const absl::Status stopped = pipeline.Stop();
  status.Update(stopped);
  const int code = ExitWith(status);
  if (pipeline.hung()) {
    spdlog::error("a call to the system does not return; ending without waiting for it");
    log.End();
    // Nothing that the hanging thread uses may be destroyed.
    std::_Exit(code == kDone ? kEnvironment : code);
  }
  return code;
}

}  // namespace tocsin
