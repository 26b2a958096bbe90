#include "app/receiver.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "app/api_client.h"
#include "app/api_parts.h"
#include "app/appender.h"
#include "app/http_server.h"
#include "app/webhook_signature.h"
#include "core/bounded_queue.h"
#include "core/hash.h"
#include "core/limits.h"
#include "core/status_macros.h"
#include "core/string_hash.h"
#include "ingest/decoder.h"
#include "ingest/unpack.h"

namespace tocsin {
namespace {

constexpr std::string_view kSourcesPath = "/v1/sources/";
// Messages of SNS that wait for their certificate.
constexpr std::size_t kSnsQueuedMax = 256;

// Whether anything in a body can be read, and if not why.
class ProbeSink final : public EventSink {
 public:
  void OnEvent(const Event&) override { anything_ = true; }
  void OnUndecodable(std::string_view, std::string_view reason) override {
    if (fault_.empty()) fault_ = reason;
  }
  void OnSkipped(std::string_view, std::string_view) override { anything_ = true; }
  std::string_view fault() const { return anything_ ? std::string_view() : fault_; }

 private:
  bool anything_ = false;
  std::string_view fault_;
};

// So many a second, and as many at once.
class RateLimit {
 public:
  explicit RateLimit(int per_second) : per_second_(per_second), left_(per_second) {}
  bool Admit(TimeUs now) {
    const double passed = static_cast<double>(std::max<TimeUs>(now - at_, 0)) / kSecondUs;
    left_ = std::min<double>(per_second_, left_ + passed * per_second_);
    at_ = std::max(at_, now);
    if (left_ < 1) return false;
    left_ -= 1;
    return true;
  }

 private:
  const double per_second_;
  double left_;
  TimeUs at_ = 0;
};

struct Source {
  const InputConfig* config = nullptr;
  std::vector<std::string> tokens, secrets;
  std::unique_ptr<RecordLog> log;
  std::unique_ptr<Appender> appender;
  SeenBodies seen;
  // Of the thread that serves, or of SNS' where that checks what comes.
  std::unique_ptr<Decoder> decoder;
  std::unique_ptr<SnsVerifier> sns;
  // Of the thread that serves.
  std::unique_ptr<RateLimit> rate;
  // Relaxed: figures for people.
  std::atomic<std::int64_t> accepted{0}, refused{0}, bytes{0};
};

HttpResponse Busy(std::string_view message) {
  HttpResponse response = ApiError(429, message);
  response.headers["Retry-After"] = "1";
  return response;
}

HttpResponse Success(const std::string& format) {
  if (format == "prometheus-remote-write") return {.status = 204};
  if (format == "otlp-proto") return {.content_type = "application/x-protobuf"};
  return ApiJson(200, "{}");
}

HttpResponse Failure(const absl::Status& status) {
  if (absl::IsResourceExhausted(status)) return Busy(FromAbsl(status.message()));
  int code = 503;
  if (absl::IsInvalidArgument(status)) code = 400;
  if (absl::IsUnauthenticated(status)) code = 401;
  if (absl::IsPermissionDenied(status)) code = 403;
  return ApiError(code, FromAbsl(status.message()));
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
        sns_jobs_(kSnsQueuedMax),
        server_({.address = config->http.listen,
                 .connections_max = static_cast<std::size_t>(config->http.connections_max),
                 .body_bytes_max = static_cast<std::uint64_t>(config->http.body_bytes_max),
                 .certificate_file = config->http.certificate_file,
                 .key_file = config->http.key_file},
                [this](HttpRequest request, HttpServer::Respond respond) {
                  Serve(std::move(request), std::move(respond));
                }) {
    if (!environment_.now) environment_.now = [] { return absl::ToUnixMicros(absl::Now()); };
  }
  ~Impl() { Stop(); }

  absl::Status Open();
  absl::Status Start();
  void Stop();
  std::uint16_t port() const { return server_.port(); }
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
  void Serve(HttpRequest request, HttpServer::Respond respond);
  // Who may not, and why.
  std::optional<HttpResponse> Refusal(const HttpRequest& request, Source* source);
  void CheckSns(SnsJob job);
  void Take(HttpRequest request, Source* source, HttpServer::Respond respond);
  Source* Find(const std::string& path);

  const Config& config_;
  Environment environment_;
  std::map<std::string, std::unique_ptr<Source>> sources_;
  BoundedQueue<SnsJob> sns_jobs_;
  std::thread sns_thread_;
  HttpServer server_;
};

absl::Status Receiver::Impl::OpenSource(const InputConfig& input) {
  auto source = std::make_unique<Source>();
  source->config = &input;
  TOCSIN_ASSIGN_OR_RETURN(source->tokens, ReadSecrets(input.http->token_file));
  TOCSIN_ASSIGN_OR_RETURN(source->secrets, ReadSecrets(input.http->secret_file));
  if (input.http->signature == "sns") {
    SnsVerifier::Fetch fetch = environment_.fetch;
    if (!fetch) {
      fetch = [&transport = input.http->transport](const std::string& url) {
        return FetchHttps(url, transport);
      };
    }
    source->sns = std::make_unique<SnsVerifier>(input.http->topics, std::move(fetch));
  }
  source->rate = std::make_unique<RateLimit>(input.http->requests_per_second);
  ErrorList errors;
  source->decoder = NewDecoder(input, &errors);
  if (source->decoder == nullptr) {
    return absl::InvalidArgumentError(errors.Sorted().front().message);
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
      spdlog::error("input {}: posts are refused: {}", input.name, FromAbsl(status.message()));
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
  sns_jobs_.Close();
  if (sns_thread_.joinable()) sns_thread_.join();
  for (const auto& [name, source] : sources_) source->appender->Stop();
}

Source* Receiver::Impl::Find(const std::string& path) {
  std::string name;
  if (path == "/v1/events") name = "events";
  if (path.starts_with(kSourcesPath)) name = path.substr(kSourcesPath.size());
  const auto found = sources_.find(name);
  return found == sources_.end() ? nullptr : found->second.get();
}

std::optional<HttpResponse> Receiver::Impl::Refusal(const HttpRequest& request, Source* source) {
  const HttpInputConfig& http = *source->config->http;
  if (request.method != "POST") {
    HttpResponse response = ApiError(405, "expected POST");
    response.headers["Allow"] = "POST";
    return response;
  }
  if (!http.token_file.empty() && !ShowsToken(request, source->tokens)) {
    HttpResponse response =
        ApiError(401, "expected the header Authorization: Bearer with a token of token_file");
    response.headers["WWW-Authenticate"] = "Bearer";
    return response;
  }
  if (!http.signature.empty() && !source->sns) {
    const absl::Status signed_by = CheckSignature(http.signature, request, source->secrets);
    if (!signed_by.ok()) return Failure(signed_by);
  }
  if (!source->rate->Admit(environment_.now())) {
    return Busy(absl::StrCat("more than ", http.requests_per_second, " requests a second"));
  }
  return std::nullopt;
}

void Receiver::Impl::Serve(HttpRequest request, HttpServer::Respond respond) {
  const std::string path = request.target.substr(0, request.target.find('?'));
  if (path == "/healthz") return respond({.body = "alive\n"});
  Source* const source = Find(path);
  if (source == nullptr) {
    return respond(ApiError(404,
                            "expected /v1/sources/NAME, of an input with http, or /v1/events "
                            "for the one that is called events"));
  }
  // Whatever becomes of it is counted.
  respond = [source, size = request.body.size(),
             respond = std::move(respond)](const HttpResponse& response) {
    const bool accepted = response.status < 300;
    ++(accepted ? source->accepted : source->refused);
    if (accepted) source->bytes += static_cast<std::int64_t>(size);
    respond(response);
  };
  if (std::optional<HttpResponse> refused = Refusal(request, source)) return respond(*refused);
  if (source->sns == nullptr) return Take(std::move(request), source, std::move(respond));
  if (sns_jobs_.size() >= kSnsQueuedMax) return respond(Busy("too many messages wait"));
  sns_jobs_.Push({source, std::move(request), std::move(respond)});
}

void Receiver::Impl::CheckSns(SnsJob job) {
  const absl::StatusOr<SnsVerifier::Kind> kind =
      job.source->sns->Check(job.request.body, environment_.now());
  if (!kind.ok()) return job.respond(Failure(kind.status()));
  if (*kind == SnsVerifier::Kind::kNotification) {
    return Take(std::move(job.request), job.source, std::move(job.respond));
  }
  spdlog::info("input {}: a subscription of SNS was {}", job.source->config->name,
               *kind == SnsVerifier::Kind::kConfirmed ? "confirmed" : "ended");
  job.respond(ApiJson(200, "{}"));
}

void Receiver::Impl::Take(HttpRequest request, Source* source, HttpServer::Respond respond) {
  const std::string& format = source->config->format;
  if (format == "otlp-proto" &&
      MediaType(ApiHeader(request, "content-type")) == "application/json") {
    return respond(ApiError(415, "expected application/x-protobuf: this input is otlp-proto"));
  }
  const bool is_signed = !source->config->http->signature.empty();
  const TimeUs now = environment_.now();
  if (request.body.empty()) return respond(Success(format));
  const Hash128 digest = HashBytes(request.body);
  if (is_signed) {
    const SeenBodies::Seen seen = source->seen.Look(digest, now);
    if (seen == SeenBodies::Seen::kWithinWindow) return respond(Success(format));
    if (seen == SeenBodies::Seen::kBefore) {
      return respond(ApiError(401, "this body was taken before, more than ten minutes ago"));
    }
  }
  const std::string encoding = ApiHeader(request, "content-encoding");
  // Remote write is always snappy, and its decoder undoes that.
  const bool as_it_is = encoding.empty() || encoding == "identity" ||
                        (encoding == "snappy" && format == "prometheus-remote-write");
  std::string body;
  if (as_it_is) {
    body = std::move(request.body);
  } else if (const std::string_view fault =
                 Unpack(encoding, request.body, limits::kPayloadBytesMax, &body);
             !fault.empty()) {
    if (fault == kUnknownEncoding) {
      return respond(ApiError(415, "Content-Encoding: expected gzip, deflate or zstd"));
    }
    return respond(ApiError(fault.starts_with("too large") ? 413 : 400, fault));
  }
  if (body.size() > limits::kPayloadBytesMax) {
    return respond(ApiError(413, "larger than 8 MiB"));
  }
  ProbeSink probe;
  source->decoder->Decode(body, now, &probe);
  if (!probe.fault().empty()) {
    return respond(ApiError(
        400, absl::StrCat("nothing in it can be read as ", format, ": ", ToAbsl(probe.fault()))));
  }
  source->appender->Append(
      std::move(body),
      [source, is_signed, digest, now, respond = std::move(respond)](const absl::Status& status) {
        if (!status.ok()) return respond(Failure(status));
        // Only now: what was not durable is taken when it is sent again.
        if (is_signed) source->seen.Remember(digest, now);
        respond(Success(source->config->format));
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
RecordLog* Receiver::LogOf(const std::string& input) const { return impl_->LogOf(input); }
std::vector<Receiver::SourceCounters> Receiver::Counters() const { return impl_->Counters(); }

}  // namespace tocsin
