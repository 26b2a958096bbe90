#include "app/http_server.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <optional>
#include <set>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

namespace tocsin {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using beast::error_code;

constexpr std::size_t kConnectionsMax = 64;
constexpr std::uint32_t kHeaderBytesMax = 8 << 10;
constexpr std::uint64_t kBodyBytesMax = 1 << 20;
// What is read ahead of the parser; it must hold a whole header.
constexpr std::size_t kBufferBytesMax = 64 << 10;
// When there are no descriptors left, accepting again at once would only burn the processor.
constexpr std::chrono::milliseconds kAcceptRetry(100);

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

class Session;

// What the sessions of one server share; only its thread touches it.
struct Sessions {
  HttpServer::Handler handler;
  std::chrono::nanoseconds phase_timeout{0};
  std::set<Session*> open = {};
};

HttpRequest ToHttpRequest(http::request<http::string_body> message) {
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
  request.body = std::move(message.body());
  return request;
}

// One connection; kept alive by its pending operation.
class Session : public std::enable_shared_from_this<Session> {
  template <typename Member>
  auto Then(Member member) {
    return beast::bind_front_handler(member, shared_from_this());
  }

 public:
  Session(tcp::socket socket, Sessions* sessions)
      : stream_(std::move(socket)), buffer_(kBufferBytesMax), sessions_(sessions) {
    sessions_->open.insert(this);
  }
  ~Session() { sessions_->open.erase(this); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void ReadHeader() {
    parser_.emplace();
    parser_->header_limit(kHeaderBytesMax);
    parser_->body_limit(kBodyBytesMax);
    stream_.expires_after(sessions_->phase_timeout);
    http::async_read_header(stream_, buffer_, *parser_, Then(&Session::OnHeader));
  }

  // Its pending operation ends with an error, and the session with it.
  void Close() { stream_.close(); }

 private:
  void OnHeader(error_code error, std::size_t) {
    if (error) return Refuse(error);
    stream_.expires_after(sessions_->phase_timeout);
    if (parser_->get().version() >= 11 && !parser_->is_done() &&
        beast::iequals(parser_->get()[http::field::expect], "100-continue")) {
      asio::async_write(stream_, asio::buffer(kContinue), Then(&Session::OnContinue));
    } else {
      OnContinue({}, 0);
    }
  }

  void OnContinue(error_code error, std::size_t) {
    if (error) return;
    http::async_read(stream_, buffer_, *parser_, Then(&Session::OnRequest));
  }

  void OnRequest(error_code error, std::size_t) {
    if (error) return Refuse(error);
    const bool keep_alive = parser_->get().keep_alive();
    const bool head = parser_->get().method() == http::verb::head;
    HttpResponse response = sessions_->handler(ToHttpRequest(parser_->release()));
    if (response.drop) return Close();
    Write(std::move(response), keep_alive, head);
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
    stream_.expires_after(sessions_->phase_timeout);
    http::async_write(stream_, message_, Then(&Session::OnWritten));
  }

  void OnWritten(error_code error, std::size_t) {
    if (error) return Close();
    if (message_.keep_alive()) return ReadHeader();
    // Closing while the client still sends would reset the connection, and with it the answer that
    // is on its way: what comes is read and dropped until the client is done or out of time.
    stream_.socket().shutdown(tcp::socket::shutdown_send, error);
    stream_.expires_after(sessions_->phase_timeout);
    Drain({}, 0);
  }

  void Drain(error_code error, std::size_t) {
    if (error) return Close();
    stream_.async_read_some(asio::buffer(dropped_), Then(&Session::Drain));
  }

  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  http::response<http::string_body> message_;
  std::array<char, 4096> dropped_;
  Sessions* sessions_;
};

}  // namespace

class HttpServer::Impl {
 public:
  Impl(Options options, Handler handler)
      : options_(std::move(options)),
        sessions_{.handler = std::move(handler),
                  .phase_timeout = absl::ToChronoNanoseconds(options_.phase_timeout)} {}
  ~Impl() { Stop(); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  absl::Status Start() {
    if (thread_.joinable()) return absl::FailedPreconditionError("the HTTP server is running");
    if (absl::Status status = Listen(); !status.ok()) {
      error_code ignored;
      acceptor_.close(ignored);
      return status;
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
      for (Session* session : sessions_.open) session->Close();
    });
    // All operations end with an error, so there is nothing left to run.
    thread_.join();
  }

  std::uint16_t port() const { return port_; }

 private:
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
      // One too many is closed at once: it learns that now, not after a time-out in the backlog.
      if (sessions_.open.size() < kConnectionsMax) {
        std::make_shared<Session>(std::move(socket), &sessions_)->ReadHeader();
      }
      Accept();
    });
  }

  const Options options_;
  Sessions sessions_;
  bool stopping_ = false;   // of the server's thread while it runs
  std::uint16_t port_ = 0;  // written before the thread starts
  asio::io_context io_{1};
  tcp::acceptor acceptor_{io_};
  asio::steady_timer accept_again_{io_};
  std::thread thread_;
};

HttpServer::HttpServer(Options options, Handler handler)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(handler))) {}

HttpServer::~HttpServer() = default;

absl::Status HttpServer::Start() { return impl_->Start(); }

std::uint16_t HttpServer::port() const { return impl_->port(); }

void HttpServer::Stop() { impl_->Stop(); }

}  // namespace tocsin
