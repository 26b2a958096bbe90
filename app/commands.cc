#include "app/commands.h"

#include <signal.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <cstdlib>
#include <memory>

#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "app/api.h"
#include "app/api_client.h"
#include "app/config_check.h"
#include "app/config_text.h"
#include "app/http_server.h"
#include "app/metrics.h"
#include "app/pipeline.h"
#include "app/send_test.h"
#include "app/status_json.h"
#include "replay/engine_setup.h"

namespace tocsin {
namespace {

// How often the main thread looks whether it should end; nothing else depends on it.
constexpr absl::Duration kWatchEvery = absl::Milliseconds(100);

// Set by the signal handler; sig_atomic_t because nothing else is safe there.
volatile sig_atomic_t stop_requested = 0;

void RequestStop(int) { stop_requested = 1; }

void CatchStopSignals() {
  struct sigaction action {};
  action.sa_handler = RequestStop;
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  // A receiver that closes its socket is an error of that delivery, not the end of the program.
  signal(SIGPIPE, SIG_IGN);
}

void LogToStderr() {
  spdlog::set_default_logger(std::make_shared<spdlog::logger>(
      "tocsin", std::make_shared<spdlog::sinks::stderr_sink_mt>()));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
}

int ExitCodeOf(const absl::Status& status) {
  if (status.ok()) return kDone;
  return absl::IsInvalidArgument(status) ? kFinding : kEnvironment;
}

int Explain(const absl::Status& status) {
  if (!status.ok()) std::fprintf(stderr, "tocsin: %s\n", std::string(status.message()).c_str());
  return ExitCodeOf(status);
}

HttpResponse Answer(const HttpRequest& request, const Pipeline& pipeline, const ApiContext& api) {
  const std::string path = request.target.substr(0, request.target.find('?'));
  if (path.starts_with("/api/")) return AnswerApi(request, api);
  if (path == "/healthz") return {.body = "alive\n"};
  if (path == "/metrics") {
    return {.content_type = "text/plain; version=0.0.4; charset=utf-8",
            .body = MetricsText(pipeline.Snapshot())};
  }
  if (path == "/readyz") {
    const PipelineStatus status = pipeline.Snapshot();
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
  return {.status = 404, .body = "not found: /metrics, /healthz, /readyz and /api/v1 are here\n"};
}

}  // namespace

std::optional<Config> LoadOrExplain(const std::string& path, ErrorList::Secrets secrets) {
  ErrorList errors(secrets);
  std::optional<Config> config = CheckedConfig(path, &errors);
  if (!config) std::fprintf(stderr, "%s\n", ErrorsText(errors).c_str());
  return config;
}

int Check(const CheckCommand& command) {
  int code = kDone;
  for (const std::string& path : command.configs) {
    const bool needed = command.secrets || command.send_test;
    ErrorList errors(needed ? ErrorList::Secrets::kNeeded : ErrorList::Secrets::kNotNeeded);
    const std::optional<Config> config = CheckedConfig(path, &errors);
    for (const ConfigError& warning : errors.Warnings()) {
      const ConfigError said = {warning.at, "warning: " + warning.message};
      std::fprintf(stderr, "%s\n", said.ToString().c_str());
    }
    if (!config) {
      std::fprintf(stderr, "%s\n", ErrorsText(errors).c_str());
      code = kFinding;
      continue;
    }
    std::fputs(ConfigText(*config).c_str(), stdout);
    if (!command.send_test) continue;
    signal(SIGPIPE, SIG_IGN);  // as in Run
    const absl::StatusOr<SendTestResult> result =
        SendTest(*config, absl::ToUnixMicros(absl::Now()));
    if (!result.ok()) return Explain(result.status());
    std::fputs(result->text.c_str(), stdout);
    if (!result->all_reached) code = kFinding;
  }
  return code;
}

int Run(const RunCommand& command) {
  LogToStderr();
  const std::optional<Config> config = LoadOrExplain(command.config, ErrorList::Secrets::kNeeded);
  if (!config) return kFinding;
  CatchStopSignals();
  Pipeline pipeline({.config = &*config,
                     .incidents_path = command.incidents,
                     .signals_path = command.signals,
                     .on_decision = nullptr,
                     .threads = command.threads});
  const absl::StatusOr<std::string> token = ReadToken(config->api_token_file);
  if (!token.ok()) return Explain(token.status());
  absl::StatusOr<std::vector<std::string>> secrets =
      ReadSecrets(config->pagerduty_webhook_secret_file);
  if (!secrets.ok()) return Explain(secrets.status());
  const ApiContext api = {
      .incidents = &pipeline.incidents(),
      .silences = [&pipeline] { return pipeline.silences(); },
      .planned = config->silences,
      .submit = [&pipeline](const Act& act) { return pipeline.Submit(act); },
      .now = [&pipeline] { return pipeline.time().Wall(); },
      .deliveries =
          [&pipeline](const Hash128& incident) { return pipeline.DeliveriesOf(incident); },
      .retry_parked =
          [&pipeline](const Hash128& incident) { return pipeline.RetryParked(incident); },
      .status =
          [&pipeline] { return StatusJson(pipeline.Snapshot(), pipeline.time().Wall()); },
      .token = *token,
      .loopback = IsLoopback(config->listen),
      .pagerduty_secrets = *std::move(secrets)};
  HttpServer http({.address = config->listen},
                  [&](const HttpRequest& request) { return Answer(request, pipeline, api); });
  const bool serves = config->listen != "off";
  // First, so that an address that is taken is found before anybody is paged.
  if (serves) {
    const absl::Status listening = http.Start();
    if (!listening.ok()) return Explain(listening);
  }
  absl::Status status = pipeline.Start();
  if (status.ok()) {
    if (serves) spdlog::info("running; metrics, health and API on port {}", http.port());
    if (pipeline.http_port() != 0) {
      spdlog::info("inputs by HTTP on port {}: POST /v1/sources/NAME", pipeline.http_port());
    }
    while (stop_requested == 0 && pipeline.status().ok() && !pipeline.Finished()) {
      absl::SleepFor(kWatchEvery);
    }
    spdlog::info("stopping");
  }
  http.Stop();
  const absl::Status stopped = pipeline.Stop();
  status.Update(stopped);
  const int code = Explain(status);
  if (pipeline.hung()) {
    spdlog::error("a call to the system does not return; ending without waiting for it");
    // Nothing that the hanging thread uses may be destroyed.
    std::_Exit(code == kDone ? kEnvironment : code);
  }
  return code;
}

int ShowStatus(const StatusCommand& command) {
  const absl::StatusOr<ApiClient> client = ApiClient::Open(command.api);
  if (!client.ok()) return Explain(client.status());
  const absl::StatusOr<std::string> json = client->Get("/api/v1/status");
  if (!json.ok()) return Explain(json.status());
  const absl::StatusOr<std::string> text =
      command.json ? absl::StatusOr<std::string>(*json + "\n") : StatusText(*json);
  if (!text.ok()) return Explain(text.status());
  std::fputs(text->c_str(), stdout);
  return kDone;
}

}  // namespace tocsin
