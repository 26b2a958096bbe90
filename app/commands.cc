#include "app/commands.h"

#include <signal.h>
#include <unistd.h>

#include <cstdio>

#include "absl/time/clock.h"
#include "app/api_client.h"
#include "app/config_text.h"
#include "app/send_test.h"
#include "app/status_json.h"
#include "detectors/registry.h"
#include "ingest/decoder.h"
#include "ingest/detect_format.h"
#include "replay/engine_setup.h"
#include "replay/line_file.h"
#include "sinks/sink.h"

namespace tocsin {
namespace {

// One line that is rewritten on a terminal, and nothing elsewhere.
class ProgressBar {
 public:
  void Show(double share, std::int64_t events) {
    if (!terminal_ || absl::Now() < next_) return;
    next_ = absl::Now() + absl::Milliseconds(200);
    if (share < 0) {
      std::fprintf(stderr, "\r%lld events\033[K", static_cast<long long>(events));
      return;
    }
    const int filled = static_cast<int>(share * 30);
    std::string bar(static_cast<std::size_t>(filled), '#');
    bar.resize(30, '.');
    std::fprintf(stderr, "\r[%s] %3d %% %lld events\033[K", bar.c_str(),
                 static_cast<int>(share * 100), static_cast<long long>(events));
  }
  void Clear() {
    if (terminal_) std::fprintf(stderr, "\r\033[K");
  }

 private:
  const bool terminal_ = isatty(STDERR_FILENO) != 0;
  absl::Time next_ = absl::InfinitePast();
};

// Everything that can be known about a configuration without connecting to anything.
void CheckKinds(const Config& config, ErrorList* errors) {
  NewDetectors(config, errors);
  NewSinks(config, errors);
  for (const InputConfig& input : config.inputs) {
    // What `auto` means is known once there is a file.
    if (!input.file || input.http || input.format != kAutoFormat) NewDecoder(input, errors);
  }
}

}  // namespace

int ExitWith(const absl::Status& status) {
  if (status.ok()) return kDone;
  std::fprintf(stderr, "tocsin: %s\n", std::string(status.message()).c_str());
  return absl::IsInvalidArgument(status) ? kFinding : kEnvironment;
}

std::optional<Config> LoadChecked(const std::string& path, ErrorList* errors) {
  std::optional<Config> config = LoadConfig(path, errors);
  if (config) CheckKinds(*config, errors);
  return errors->empty() ? config : std::nullopt;
}

std::optional<Config> LoadOrExplain(const std::string& path) {
  ErrorList errors;
  std::optional<Config> config = LoadChecked(path, &errors);
  if (config) return config;
  std::fprintf(stderr, "%s\n", ErrorsText(errors).c_str());
  return std::nullopt;
}

int Check(const std::vector<std::string>& configs, bool send_test) {
  int code = kDone;
  for (const std::string& path : configs) {
    const std::optional<Config> config = LoadOrExplain(path);
    if (!config) {
      code = kFinding;
      continue;
    }
    std::fputs(ConfigText(*config).c_str(), stdout);
    if (!send_test) continue;
    std::fflush(stdout);       // what a sink writes there goes behind it
    signal(SIGPIPE, SIG_IGN);  // as in Run
    const absl::StatusOr<SendTestResult> result =
        SendTest(*config, absl::ToUnixMicros(absl::Now()));
    if (!result.ok()) return ExitWith(result.status());
    std::fputs(result->text.c_str(), stdout);
    if (!result->all_reached) code = kFinding;
  }
  return code;
}

int ShowStatus(const StatusCommand& command) {
  const absl::StatusOr<ApiClient> client = ApiClient::Open(command.api);
  if (!client.ok()) return ExitWith(client.status());
  const absl::StatusOr<std::string> json = client->Get("/api/v1/status");
  if (!json.ok()) return ExitWith(json.status());
  const absl::StatusOr<std::string> text =
      command.json ? absl::StatusOr<std::string>(*json + "\n") : StatusText(*json);
  if (!text.ok()) return ExitWith(text.status());
  std::fputs(text->c_str(), stdout);
  return kDone;
}

int ReplayRecorded(const ReplayCommand& command) {
  const std::optional<Config> config = LoadOrExplain(command.config);
  if (!config) return kFinding;
  ProgressBar bar;
  const absl::StatusOr<ReplayStats> stats =
      Replay({.config = &*config,
              .inputs = command.inputs,
              .format = command.format,
              .signal = command.signal,
              .incidents_path = command.incidents,
              .signals_path = command.signals,
              .threads = command.threads,
              .progress = [&](double share, std::int64_t events) { bar.Show(share, events); },
              .on_decision = nullptr});
  bar.Clear();
  if (!stats.ok()) return ExitWith(stats.status());
  std::fprintf(stderr,
               "%lld events in %.3g s; %lld late, %lld quarantined, %lld undecodable; "
               "%lld signals, %lld incidents\n",
               static_cast<long long>(stats->events), stats->seconds,
               static_cast<long long>(stats->late), static_cast<long long>(stats->quarantined),
               static_cast<long long>(stats->undecodable), static_cast<long long>(stats->signals),
               static_cast<long long>(stats->incidents));
  absl::StatusOr<LineFile> file = LineFile::Create(command.stats);
  if (!file.ok()) return ExitWith(file.status());
  file->Write(stats->ToJson());
  return ExitWith(file->Close());
}

}  // namespace tocsin
