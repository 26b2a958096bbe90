#include "transport/http_server.h"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <system_error>
#include <thread>
#include <type_traits>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "core/status_macros.h"
#include "core/time.h"
#include "system/host_clock.h"
#include "transport/request_parser.h"

namespace tocsin {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
namespace ssl = asio::ssl;
using beast::error_code;
using TlsStream = beast::ssl_stream<beast::tcp_stream>;

constexpr std::uint32_t kHeaderBytesMax = 8 << 10;
// When there are no descriptors left, accepting again at once would only burn the processor.
constexpr std::chrono::milliseconds kAcceptRetry(100);

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

// What the sessions of one server share; only its thread touches it.
struct Sessions {
  HttpServer::AsyncHandler handler;
  HttpServer::Admit admit;
  std::chrono::nanoseconds phase_timeout{0};
  std::uint64_t body_bytes_max = 0;
  ConnectionTable table;
};

// Of a request whose header is there.
HttpRequest ToHttpRequest(const http::request<GrowingBody>& message) {
  HttpRequest request;
  request.method = std::string(message.method_string());
  request.target = std::string(message.target());
  for (const auto& field : message) {
    std::string name(field.name_string());
    absl::AsciiStrToLower(&name);
    // A repeated field is a list (RFC 9110, 5.3).
    std::string& value = request.headers[name];
    if (!value.empty()) value += ", ";
    value += std::string(field.value());
  }
  return request;
}

// Kept alive by its pending operation, or by itself while it waits for an answer.
template <typename Stream>
class Session final : public ConnectionTable::Connection,
                      public std::enable_shared_from_this<Session<Stream>> {
  static constexpr bool kTls = std::is_same_v<Stream, TlsStream>;
  using Phase = ConnectionTable::Phase;

  template <typename Member>
  auto Then(Member member) {
    return beast::bind_front_handler(member, this->shared_from_this());
  }

 public:
  template <typename... Arguments>
  explicit Session(Sessions* sessions, Arguments&&... arguments)
      : stream_(std::forward<Arguments>(arguments)...),
        buffer_(RequestParser::kBufferBytesMax),
        sessions_(sessions) {}
  ~Session() override { sessions_->table.Remove(this); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void Begin() {
    if (!sessions_->table.Add(this, Address(), HostMonotonic())) return;
    if constexpr (kTls) {
      Lowest().expires_after(sessions_->phase_timeout);
      stream_.async_handshake(ssl::stream_base::server, Then(&Session::OnHandshake));
    } else {
      ReadHeader();
    }
  }

  // Its pending operation ends with an error, and the session with it.
  void Close() override {
    const std::shared_ptr<Session> self = std::exchange(waiting_, nullptr);
    closed_ = true;
    sessions_->table.Remove(this);
    Lowest().close();
  }

 private:
  beast::tcp_stream& Lowest() { return beast::get_lowest_layer(stream_); }
  void Enter(Phase phase) {
    sessions_->table.Enter(this, phase, HostMonotonic());
    Lowest().expires_after(sessions_->phase_timeout);
  }

  std::string Address() {
    error_code error;
    const asio::ip::address address = Lowest().socket().remote_endpoint(error).address();
    return ConnectionTable::AddressKey(
        address.is_v4() ? asio::ip::make_address_v6(asio::ip::v4_mapped, address.to_v4()).to_bytes()
                        : address.to_v6().to_bytes());
  }

  void OnHandshake(error_code error) {
    if (!error) ReadHeader();
  }

  void ReadHeader() {
    Enter(Phase::kHeader);
    parser_.emplace();
    parser_->header_limit(kHeaderBytesMax);
    parser_->body_limit(sessions_->body_bytes_max);
    http::async_read_header(stream_, buffer_, *parser_, Then(&Session::OnHeader));
  }

  void OnHeader(error_code error, std::size_t) {
    if (closed_) return;
    if (error) return Refuse(error);
    keep_alive_ = parser_->get().keep_alive();
    head_ = parser_->get().method() == http::verb::head;
    request_ = ToHttpRequest(parser_->get());
    HttpServer::Admission admission;
    if (sessions_->admit) admission = sessions_->admit(request_);
    if (admission.refused) {
      // A body that was not read would be the next request.
      return Write(*std::move(admission.refused), keep_alive_ && parser_->is_done(), head_);
    }
    if (parser_->is_done()) return Answer();
    sessions_->table.BeginBody(this, admission.proven, HostMonotonic());
    Lowest().expires_after(sessions_->phase_timeout);
    if (parser_->get().version() >= 11 &&
        beast::iequals(parser_->get()[http::field::expect], "100-continue")) {
      asio::async_write(stream_, asio::buffer(kContinue), Then(&Session::OnContinue));
    } else {
      ReadBody();
    }
  }

  void OnContinue(error_code error, std::size_t) {
    if (!error && !closed_) ReadBody();
  }

  void ReadBody() { http::async_read_some(stream_, buffer_, *parser_, Then(&Session::OnBody)); }

  void OnBody(error_code error, std::size_t) {
    if (closed_) return;
    if (error) return Refuse(error);
    const std::string& body = parser_->get().body();
    if (!sessions_->table.Grew(this, body.size(), body.capacity(), HostMonotonic())) {
      return Write({.status = 503,
                    .body = "request-body memory limit reached\n",
                    .headers = {{"Retry-After", "1"}}},
                   /*keep_alive=*/false, /*head=*/false);
    }
    if (!parser_->is_done()) return ReadBody();
    request_.body = std::move(parser_->get().body());
    Answer();
  }

  void Answer() {
    sessions_->table.Enter(this, Phase::kAnswer, HostMonotonic());
    Lowest().expires_never();
    waiting_ = this->shared_from_this();
    // The answer may come from any thread; the session is only touched by the server's.
    sessions_->handler(std::move(request_),
                       [session = this->weak_from_this(),
                        executor = stream_.get_executor()](HttpResponse response) {
                         asio::post(executor, [session, response = std::move(response)]() mutable {
                           if (const auto alive = session.lock())
                             alive->OnResponse(std::move(response));
                         });
                       });
  }

  void OnResponse(HttpResponse response) {
    if (waiting_ == nullptr) return;  // cut off meanwhile
    const std::shared_ptr<Session> self = std::exchange(waiting_, nullptr);
    if (response.drop) return Close();
    Write(std::move(response), keep_alive_, head_);
  }

  // Says what was wrong if a client can still hear it; else the connection just ends.
  void Refuse(error_code error) {
    int status = 400;
    if (error == http::error::header_limit || error == http::error::buffer_overflow) {
      status = 431;
    } else if (error == http::error::body_limit) {
      status = 413;
    } else if (error == http::error::end_of_stream || error == http::error::partial_message ||
               error.category() != make_error_code(http::error::end_of_stream).category()) {
      return Close();
    }
    Write({.status = status, .body = absl::StrCat(error.message(), "\n")}, /*keep_alive=*/false,
          /*head=*/false);
  }

  void Write(HttpResponse response, bool keep_alive, bool head) {
    const bool valid = response.status >= 200 && response.status <= 599;
    message_ = {};
    message_.version(11);
    message_.result(valid ? static_cast<unsigned>(response.status) : 500U);
    message_.set(http::field::server, "tocsin");
    message_.set(http::field::content_type, response.content_type);
    for (const auto& [name, value] : response.headers) message_.set(name, value);
    message_.keep_alive(keep_alive);
    message_.body() = std::move(response.body);
    message_.prepare_payload();
    // The length stays: it is what a GET would have.
    if (head) message_.body().clear();
    sessions_->table.Release(this);
    parser_->get().body() = std::string();
    Enter(Phase::kWriting);
    http::async_write(stream_, message_, Then(&Session::OnWritten));
  }

  void OnWritten(error_code error, std::size_t) {
    if (error || closed_) return Close();
    if (message_.keep_alive()) return ReadHeader();
    // Closing while the client still sends would reset the connection, and with it the answer that
    // is on its way: what comes is read and dropped until the client is done or out of time.
    Enter(Phase::kDraining);
    if constexpr (kTls) {
      stream_.async_shutdown(Then(&Session::OnShutdown));
    } else {
      stream_.socket().shutdown(tcp::socket::shutdown_send, error);
      Drain({}, 0);
    }
  }

  void OnShutdown(error_code) { Close(); }

  void Drain(error_code error, std::size_t) {
    if (error) return Close();
    stream_.async_read_some(asio::buffer(dropped_), Then(&Session::Drain));
  }

  Stream stream_;
  beast::flat_buffer buffer_;
  std::optional<RequestParser> parser_;
  HttpRequest request_;
  http::response<http::string_body> message_;
  bool keep_alive_ = false;
  bool head_ = false;
  bool closed_ = false;
  std::shared_ptr<Session> waiting_;  // itself, for an answer
  std::array<char, 4096> dropped_;
  Sessions* sessions_;
};

}  // namespace

class HttpServer::Impl {
 public:
  Impl(Options options, AsyncHandler handler)
      : options_(std::move(options)),
        sessions_{.handler = std::move(handler),
                  .admit = options_.admit,
                  .phase_timeout = absl::ToChronoNanoseconds(options_.phase_timeout),
                  .body_bytes_max = options_.body_bytes_max,
                  .table = ConnectionTable({.connections_max = options_.connections_max,
                                            .bodies_bytes_max = options_.bodies_bytes_max})} {}
  ~Impl() { Stop(); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  absl::Status Start() {
    if (thread_.joinable()) return absl::FailedPreconditionError("the HTTP server is running");
    TOCSIN_ASSIGN_OR_RETURN(tls_, LoadCertificate());
    if (const absl::Status listening = Listen(); !listening.ok()) {
      error_code ignored;
      acceptor_.close(ignored);
      return listening;
    }
    stopping_ = false;
    io_.restart();
    Accept();
    try {
      thread_ = std::thread([this] { io_.run(); });
    } catch (const std::system_error& error) {
      return absl::ResourceExhaustedError(absl::StrCat("no thread for HTTP: ", error.what()));
    }
    return absl::OkStatus();
  }

  void Stop() {
    if (!thread_.joinable()) return;
    asio::post(io_, [this] {
      stopping_ = true;
      error_code ignored;
      acceptor_.close(ignored);
      accept_again_.cancel();
      sessions_.table.CloseAll();
    });
    // All operations end with an error, so there is nothing left to run.
    thread_.join();
  }

  absl::Status ReloadCertificate() {
    TOCSIN_ASSIGN_OR_RETURN(std::shared_ptr<ssl::context> tls, LoadCertificate());
    // Sessions keep what they began with.
    asio::post(io_, [this, tls = std::move(tls)] { tls_ = tls; });
    return absl::OkStatus();
  }

  std::uint16_t port() const { return port_; }
  ConnectionTable::Counters counters() const { return sessions_.table.counters(); }

 private:
  // nullptr where no certificate is configured.
  absl::StatusOr<std::shared_ptr<ssl::context>> LoadCertificate() const {
    if (options_.certificate_file.empty()) return nullptr;
    auto tls = std::make_shared<ssl::context>(ssl::context::tls_server);
    error_code error;
    tls->set_options(ssl::context::default_workarounds | ssl::context::no_sslv2 |
                         ssl::context::no_sslv3 | ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1,
                     error);
    const std::string* file = &options_.certificate_file;
    if (!error) tls->use_certificate_chain_file(*file, error);
    if (!error) {
      file = &options_.key_file;
      tls->use_private_key_file(*file, ssl::context::pem, error);
    }
    if (!error) return tls;
    return absl::InvalidArgumentError(absl::StrCat("cannot use ", *file, ": ", error.message()));
  }

  absl::Status Listen() {
    const std::string& address = options_.address;
    const std::size_t colon = address.rfind(':');
    int port = -1;
    if (colon == std::string::npos || !absl::SimpleAtoi(address.substr(colon + 1), &port) ||
        port < 0 || port > UINT16_MAX) {
      return absl::InvalidArgumentError(
          absl::StrCat("cannot listen on '", address, "': expected host:port"));
    }
    std::string host = address.substr(0, colon);
    if (host.empty()) host = "0.0.0.0";
    if (host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
    error_code error;
    tcp::resolver resolver(io_);
    const auto found = resolver.resolve(host, std::to_string(port), tcp::resolver::passive, error);
    if (!error) {
      const tcp::endpoint endpoint = found.begin()->endpoint();
      acceptor_.open(endpoint.protocol(), error);
      if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
      if (!error) acceptor_.bind(endpoint, error);
      if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
      if (!error) port_ = acceptor_.local_endpoint(error).port();
    }
    if (!error) return absl::OkStatus();
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", address, ": ", error.message()));
  }

  void Accept() {
    acceptor_.async_accept([this](error_code error, tcp::socket socket) {
      if (stopping_) return;
      if (error) {
        accept_again_.expires_after(kAcceptRetry);
        accept_again_.async_wait([this](error_code) {
          if (!stopping_) Accept();
        });
        return;
      }
      // One for which there is no room is closed at once: it learns that now, not after a time-out
      // in the backlog.
      if (tls_) {
        std::make_shared<Session<TlsStream>>(&sessions_, std::move(socket), *tls_)->Begin();
      } else {
        std::make_shared<Session<beast::tcp_stream>>(&sessions_, std::move(socket))->Begin();
      }
      Accept();
    });
  }

  const Options options_;
  Sessions sessions_;
  bool stopping_ = false;              // of the server's thread while it runs
  std::uint16_t port_ = 0;             // written before the thread starts
  std::shared_ptr<ssl::context> tls_;  // of the server's thread while it runs; sessions refer to it
  asio::io_context io_{1};
  tcp::acceptor acceptor_{io_};
  asio::steady_timer accept_again_{io_};
  std::thread thread_;
};

HttpServer::HttpServer(Options options, Handler handler)
    : HttpServer(std::move(options), AsyncHandler([handler = std::move(handler)](
                                                      HttpRequest request, const Respond& respond) {
                   respond(handler(request));
                 })) {}

HttpServer::HttpServer(Options options, AsyncHandler handler)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(handler))) {}

HttpServer::~HttpServer() = default;

absl::Status HttpServer::Start() { return impl_->Start(); }

std::uint16_t HttpServer::port() const { return impl_->port(); }

absl::Status HttpServer::ReloadCertificate() { return impl_->ReloadCertificate(); }

ConnectionTable::Counters HttpServer::counters() const { return impl_->counters(); }

void HttpServer::Stop() { impl_->Stop(); }

}  // namespace tocsin
