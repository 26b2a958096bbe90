#include "service/http_in/receiver.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "config/secret_file.h"
#include "core/bounded_queue.h"
#include "core/hash.h"
#include "core/limits.h"
#include "core/status_macros.h"
#include "core/string_hash.h"
#include "ingest/compression/unpack.h"
#include "ingest/decoder.h"
#include "ingest/formats/format.h"
#include "service/http_in/appender.h"
#include "service/http_in/seen_bodies.h"
#include "service/http_in/webhook_signature.h"
#include "system/host_clock.h"
#include "transport/host_policy.h"
#include "transport/http_message.h"
#include "transport/http_server.h"

namespace tocsin {
namespace {

constexpr std::string_view kSourcesPath = "/v1/sources/";
// SNS messages that wait for a certificate or a confirmation to be fetched.
constexpr std::size_t kSnsQueuedMax = 256;

// Finds out whether any record of a body can be decoded, and if not, why.
class ProbeSink final : public EventSink {
 public:
  void OnEvent(const Event&) override { anything_ = true; }
  void OnUndecodable(std::string_view, std::string_view reason) override {
    if (fault_.empty()) fault_ = std::string(reason);
  }
  void OnSkipped(std::string_view, std::string_view) override { anything_ = true; }
  std::string_view fault() const { return anything_ ? std::string_view() : fault_; }

 private:
  bool anything_ = false;
  std::string fault_;
};

// A token bucket: `per_second` requests a second, and a burst of as many. `now` is monotonic.
class RateLimit {
 public:
  explicit RateLimit(int per_second) : per_second_(per_second), left_(per_second) {}
  bool Admit(TimeUs now) {
    const double passed = static_cast<double>(now - at_) / kSecondUs;
    left_ = std::min<double>(per_second_, left_ + passed * per_second_);
    at_ = now;
    if (left_ < 1) return false;
    left_ -= 1;
    return true;
  }

 private:
  const double per_second_;
  double left_;
  TimeUs at_ = 0;
};

// The secrets of senders; replaced on reload.
struct Credentials {
  std::vector<std::string> tokens, secrets;
};

struct Source {
  const InputConfig* config = nullptr;
  const Format* format = nullptr;
  std::unique_ptr<RecordLog> log;
  std::unique_ptr<Appender> appender;
  std::unique_ptr<SeenBodies> seen;  // if bodies are signed
  std::unique_ptr<SnsVerifier> sns;  // if SNS signs them
  std::unique_ptr<RateLimit> rate;   // used only by the serving thread
  // Relaxed: only for statistics.
  std::atomic<std::int64_t> accepted{0}, refused{0}, bytes{0};
  absl::Mutex mutex;
  std::shared_ptr<const Credentials> credentials ABSL_GUARDED_BY(mutex);
  // Used by the serving thread and the SNS thread.
  std::unique_ptr<Decoder> decoder ABSL_GUARDED_BY(mutex);

  std::shared_ptr<const Credentials> Shown() {
    absl::MutexLock lock(&mutex);
    return credentials;
  }
};

absl::StatusOr<std::shared_ptr<const Credentials>> ReadCredentials(const HttpInputConfig& http) {
  Credentials credentials;
  TOCSIN_ASSIGN_OR_RETURN(credentials.tokens, ReadSecrets(http.token_file));
  TOCSIN_ASSIGN_OR_RETURN(credentials.secrets, ReadSecrets(http.secret_file));
  return std::make_shared<const Credentials>(std::move(credentials));
}

HttpResponse Busy(std::string_view message) {
  HttpResponse response = ErrorResponse(429, message);
  response.headers["Retry-After"] = "1";
  return response;
}

HttpResponse Success(const Format& format) {
  return {.status = format.http.status,
          .content_type = std::string(format.http.content_type),
          .body = std::string(format.http.body)};
}

HttpResponse Failure(const absl::Status& status) {
  if (absl::IsResourceExhausted(status)) return Busy(FromAbsl(status.message()));
  int code = 503;
  if (absl::IsInvalidArgument(status)) code = 400;
  if (absl::IsUnauthenticated(status)) code = 401;
  if (absl::IsPermissionDenied(status)) code = 403;
  return ErrorResponse(code, FromAbsl(status.message()));
}

bool IsHealth(const HttpRequest& request) {
  return request.target.substr(0, request.target.find('?')) == "/healthz";
}

std::string_view MediaType(const std::string& content_type) {
  const std::string_view type = content_type;
  return type.substr(0, type.find_first_of("; "));
}

}  // namespace

class Receiver::Impl {
 public:
  Impl(const Config* config, Environment environment)
      : config_(*config),
        environment_(std::move(environment)),
        host_policy_({.listen = config->http.listen,
                      .hosts = config->hosts,
                      .tls = !config->http.certificate_file.empty()}),
        sns_jobs_(kSnsQueuedMax),
        server_({.address = config->http.listen,
                 .connections_max = static_cast<std::size_t>(config->http.connections_max),
                 .body_bytes_max = static_cast<std::uint64_t>(config->http.body_bytes_max),
                 .admit = [this](const HttpRequest& head) { return Admit(head); },
                 .certificate_file = config->http.certificate_file,
                 .key_file = config->http.key_file},
                [this](HttpRequest request, HttpServer::Respond respond) {
                  Serve(std::move(request), std::move(respond));
                }) {
    if (!environment_.now) environment_.now = [] { return absl::ToUnixMicros(absl::Now()); };
    if (!environment_.monotonic) environment_.monotonic = HostMonotonic;
  }
  ~Impl() { Stop(); }

  absl::Status Open();
  absl::Status Start();
  void Stop();
  absl::Status Reload();
  std::uint16_t port() const { return server_.port(); }
  ConnectionTable::Counters connections() const { return server_.counters(); }
  RecordLog* LogOf(const std::string& input) const {
    const auto found = sources_.find(input);
    return found == sources_.end() ? nullptr : found->second->log.get();
  }
  std::vector<SourceCounters> Counters() const;

 private:
  struct SnsJob {
    Source* source;
    HttpRequest request;
    HttpServer::Respond respond;
  };

  absl::Status OpenSource(const InputConfig& input);
  HttpServer::Admission Admit(const HttpRequest& head);
  HttpServer::Admission AdmitTo(Source* source, const HttpRequest& head);
  void Serve(HttpRequest request, HttpServer::Respond respond);
  void Authenticate(HttpRequest request, Source* source, HttpServer::Respond respond);
  void CheckSns(SnsJob job);
  void TakeSns(const SnsVerifier::Verdict& verdict, SnsJob job);
  void Take(HttpRequest request, Source* source, HttpServer::Respond respond);
  SnsVerifier::Clocks Clocks() const {
    return {.wall = environment_.now(), .monotonic = environment_.monotonic()};
  }
  Source* Find(const std::string& target);

  const Config& config_;
  Environment environment_;
  const HostPolicy host_policy_;
  std::map<std::string, std::unique_ptr<Source>> sources_;
  std::atomic<bool> stopping_{false};  // relaxed: only aborts a fetch early
  BoundedQueue<SnsJob> sns_jobs_;
  std::thread sns_thread_;
  HttpServer server_;
};

absl::Status Receiver::Impl::OpenSource(const InputConfig& input) {
  auto source = std::make_unique<Source>();
  source->config = &input;
  TOCSIN_ASSIGN_OR_RETURN(const auto credentials, ReadCredentials(*input.http));
  if (!input.http->signature.empty()) {
    TOCSIN_ASSIGN_OR_RETURN(
        source->seen,
        SeenBodies::Open(config_.state_dir + "/http/" + input.name + ".seen", environment_.now()));
  }
  if (input.http->signature == "sns") {
    SnsVerifier::Fetch fetch = environment_.fetch;
    if (!fetch) {
      fetch = [this, &transport = input.http->transport](const std::string& url) {
        return FetchHttps(url, transport, &stopping_);
      };
    }
    source->sns = std::make_unique<SnsVerifier>(input.http->topics, std::move(fetch));
  }
  source->rate = std::make_unique<RateLimit>(input.http->requests_per_second);
  ErrorList errors;
  std::unique_ptr<Decoder> decoder = NewDecoder(input, &errors);
  if (decoder == nullptr) return absl::InvalidArgumentError(errors.Sorted().front().message);
  source->format = FindFormat(input.format);
  {
    absl::MutexLock lock(&source->mutex);
    source->credentials = credentials;
    source->decoder = std::move(decoder);
  }
  if (input.kafka) {
    TOCSIN_ASSIGN_OR_RETURN(source->appender, NewKafkaAppender(*input.kafka));
  } else {
    source->log = RecordLog::Open({.directory = input.file->path,
                                   .bytes_max = config_.http.log_bytes_max,
                                   .report = [name = input.name](const std::string& message) {
                                     spdlog::error("input {}: {}", name, message);
                                   }});
    if (const absl::Status status = source->log->status(); !status.ok()) {
      spdlog::error("input {}: rejecting all requests: {}", input.name, FromAbsl(status.message()));
    }
    source->appender = NewLocalAppender(source->log.get(), environment_.now);
  }
  sources_[input.name] = std::move(source);
  return absl::OkStatus();
}

absl::Status Receiver::Impl::Open() {
  for (const InputConfig& input : config_.inputs) {
    if (input.http) TOCSIN_RETURN_IF_ERROR(OpenSource(input));
  }
  return absl::OkStatus();
}

absl::Status Receiver::Impl::Start() {
  if (config_.http.listen == "off") return absl::OkStatus();
  sns_thread_ = std::thread([this] {
    while (std::optional<SnsJob> job = sns_jobs_.Pop()) CheckSns(*std::move(job));
  });
  return server_.Start();
}

void Receiver::Impl::Stop() {
  // In the order in which requests pass through.
  server_.Stop();
  stopping_.store(true, std::memory_order_relaxed);
  sns_jobs_.Close();
  if (sns_thread_.joinable()) sns_thread_.join();
  for (const auto& [name, source] : sources_) source->appender->Stop();
}

absl::Status Receiver::Impl::Reload() {
  absl::Status status = server_.ReloadCertificate();
  for (const auto& [name, source] : sources_) {
    const auto read = ReadCredentials(*source->config->http);
    status.Update(read.status());
    if (!read.ok()) continue;
    absl::MutexLock lock(&source->mutex);
    source->credentials = *read;
  }
  return status;
}

Source* Receiver::Impl::Find(const std::string& target) {
  const std::string path = target.substr(0, target.find('?'));
  std::string name;
  if (path == "/v1/events") name = "events";
  if (path.starts_with(kSourcesPath)) name = path.substr(kSourcesPath.size());
  const auto found = sources_.find(name);
  return found == sources_.end() ? nullptr : found->second.get();
}

HttpServer::Admission Receiver::Impl::Admit(const HttpRequest& head) {
  if (IsHealth(head)) return {};
  Source* const source = Find(head.target);
  if (source == nullptr) {
    return {.refused = ErrorResponse(
                404,
                "expected /v1/sources/NAME for an input NAME with http, or /v1/events "
                "for the input named events")};
  }
  HttpServer::Admission admission = AdmitTo(source, head);
  if (admission.refused) ++source->refused;
  return admission;
}

HttpServer::Admission Receiver::Impl::AdmitTo(Source* source, const HttpRequest& head) {
  if (head.method != "POST") {
    HttpResponse response = ErrorResponse(405, "expected POST");
    response.headers["Allow"] = "POST";
    return {.refused = std::move(response)};
  }
  const HttpInputConfig& http = *source->config->http;
  const std::shared_ptr<const Credentials> credentials = source->Shown();
  if (!http.token_file.empty() && !ShowsToken(head, credentials->tokens)) {
    HttpResponse response =
        ErrorResponse(401, "expected the header Authorization: Bearer with a token of token_file");
    response.headers["WWW-Authenticate"] = "Bearer";
    return {.refused = std::move(response)};
  }
  bool proven = !http.token_file.empty();
  if (!http.signature.empty() && source->sns == nullptr) {
    const auto shown = CheckSignatureHeader(http.signature, head, credentials->secrets);
    if (!shown.ok()) return {.refused = Failure(shown.status())};
    proven = proven || *shown;
  }
  if (proven || !http.signature.empty()) return {.proven = proven};
  return {.refused = host_policy_.Refusal(head)};
}

void Receiver::Impl::Serve(HttpRequest request, HttpServer::Respond respond) {
  if (IsHealth(request)) return respond({.body = "alive\n"});
  Source* const source = Find(request.target);  // not null, since the request was admitted
  // Count every outcome.
  respond = [source, size = request.body.size(),
             respond = std::move(respond)](const HttpResponse& response) {
    const bool accepted = response.status < 300;
    ++(accepted ? source->accepted : source->refused);
    if (accepted) source->bytes += static_cast<std::int64_t>(size);
    respond(response);
  };
  Authenticate(std::move(request), source, std::move(respond));
}

void Receiver::Impl::Authenticate(HttpRequest request, Source* source,
                                  HttpServer::Respond respond) {
  const HttpInputConfig& http = *source->config->http;
  if (!http.signature.empty() && source->sns == nullptr) {
    const absl::Status is_signed =
        CheckSignature(http.signature, request, source->Shown()->secrets);
    if (!is_signed.ok()) return respond(Failure(is_signed));
  }
  if (!source->rate->Admit(environment_.monotonic())) {
    return respond(
        Busy(absl::StrCat("rate limit: ", http.requests_per_second, " requests a second")));
  }
  if (source->sns == nullptr) return Take(std::move(request), source, std::move(respond));
  SnsJob job{source, std::move(request), std::move(respond)};
  if (const auto verdict = source->sns->CheckAtOnce(job.request.body, Clocks())) {
    return TakeSns(*verdict, std::move(job));
  }
  if (sns_jobs_.size() >= kSnsQueuedMax) return job.respond(Busy("the SNS message queue is full"));
  sns_jobs_.Push(std::move(job));
}

void Receiver::Impl::CheckSns(SnsJob job) {
  if (stopping_.load(std::memory_order_relaxed)) {
    return job.respond(Failure(absl::UnavailableError("unavailable: shutting down")));
  }
  const SnsVerifier::Verdict verdict = job.source->sns->Check(job.request.body, Clocks());
  TakeSns(verdict, std::move(job));
}

void Receiver::Impl::TakeSns(const SnsVerifier::Verdict& verdict, SnsJob job) {
  if (!verdict.ok()) return job.respond(Failure(verdict.status()));
  if (*verdict == SnsVerifier::Kind::kNotification) {
    return Take(std::move(job.request), job.source, std::move(job.respond));
  }
  spdlog::info("input {}: SNS subscription {}", job.source->config->name,
               *verdict == SnsVerifier::Kind::kConfirmed ? "confirmed" : "ended");
  job.respond(JsonResponse(200, "{}"));
}

void Receiver::Impl::Take(HttpRequest request, Source* source, HttpServer::Respond respond) {
  const Format& format = *source->format;
  const std::string content_type = HttpHeader(request, "content-type");
  if (!format.http.wrong_type.empty() && MediaType(content_type) == format.http.wrong_type) {
    return respond(ErrorResponse(415, absl::StrCat("expected ", ToAbsl(format.http.content_type),
                                                   ": this input is ", ToAbsl(format.name))));
  }
  const bool is_signed = !source->config->http->signature.empty();
  const TimeUs now = environment_.now();
  if (request.body.empty()) return respond(Success(format));
  const Hash128 digest = is_signed ? HashBytes(request.body) : Hash128{};
  if (is_signed) {
    const SeenBodies::Seen seen = source->seen->Look(digest, now);
    if (seen == SeenBodies::Seen::kWithinWindow) return respond(Success(format));
    if (seen == SeenBodies::Seen::kBefore) {
      return respond(
          ErrorResponse(401, "replay: this body was already accepted more than ten minutes ago"));
    }
  }
  const std::string encoding = HttpHeader(request, "content-encoding");
  const bool as_it_is =
      encoding.empty() || encoding == "identity" || encoding == format.http.own_encoding;
  std::string body;
  if (as_it_is) {
    body = std::move(request.body);
  } else if (const std::string_view fault =
                 Unpack(encoding, request.body, limits::kPayloadBytesMax, &body);
             !fault.empty()) {
    if (fault == kUnknownEncoding) {
      return respond(ErrorResponse(415, "Content-Encoding: expected gzip, deflate or zstd"));
    }
    return respond(ErrorResponse(fault.starts_with("too large") ? 413 : 400, fault));
  }
  if (body.size() > limits::kPayloadBytesMax) {
    return respond(ErrorResponse(413, "the body is larger than 8 MiB"));
  }
  ProbeSink probe;
  {
    absl::MutexLock lock(&source->mutex);
    source->decoder->Decode(body, now, &probe);
  }
  if (!probe.fault().empty()) {
    return respond(
        ErrorResponse(400, absl::StrCat("invalid body: nothing in it can be read as ",
                                        ToAbsl(format.name), ": ", ToAbsl(probe.fault()))));
  }
  source->appender->Append(
      std::move(body),
      [source, is_signed, digest, now, respond = std::move(respond)](const absl::Status& status) {
        if (!status.ok()) return respond(Failure(status));
        // Only now, since a body that is not durable must be accepted when it is sent again.
        if (is_signed) source->seen->Remember(digest, now);
        respond(Success(*source->format));
      });
}

std::vector<Receiver::SourceCounters> Receiver::Impl::Counters() const {
  std::vector<SourceCounters> counters;
  for (const auto& [name, source] : sources_) {
    counters.push_back({.name = name,
                        .accepted = source->accepted.load(std::memory_order_relaxed),
                        .refused = source->refused.load(std::memory_order_relaxed),
                        .bytes = source->bytes.load(std::memory_order_relaxed)});
  }
  return counters;
}

Receiver::Receiver(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Receiver::~Receiver() = default;

absl::StatusOr<std::unique_ptr<Receiver>> Receiver::Open(const Config* config,
                                                         Environment environment) {
  auto impl = std::make_unique<Impl>(config, std::move(environment));
  TOCSIN_RETURN_IF_ERROR(impl->Open());
  return std::unique_ptr<Receiver>(new Receiver(std::move(impl)));
}

bool Receiver::IsNeeded(const Config& config) {
  return std::any_of(config.inputs.begin(), config.inputs.end(),
                     [](const InputConfig& input) { return input.http.has_value(); });
}

absl::Status Receiver::Start() { return impl_->Start(); }
std::uint16_t Receiver::port() const { return impl_->port(); }
void Receiver::Stop() { impl_->Stop(); }
absl::Status Receiver::Reload() { return impl_->Reload(); }
ConnectionTable::Counters Receiver::connections() const { return impl_->connections(); }
RecordLog* Receiver::LogOf(const std::string& input) const { return impl_->LogOf(input); }
std::vector<Receiver::SourceCounters> Receiver::Counters() const { return impl_->Counters(); }

}  // namespace tocsin
