#include "transport/http_client.h"

#include <curl/curl.h>

#include <algorithm>
#include <cstddef>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/limits.h"
#include "transport/curl_transport.h"

namespace tocsin {
namespace {

constexpr DurationUs kConnectTimeout = 5 * kSecondUs;
// So long that libcurl's own deadlines decide.
constexpr absl::Duration kWaitMax = absl::Minutes(1);

struct EasyCloser {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct MultiCloser {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};
struct ListCloser {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

// One request on its way; libcurl keeps pointers into it.
struct Transfer {
  Hash128 id;
  SinkRequest request;
  std::string reply_body;
  char error[CURL_ERROR_SIZE] = {};
  std::unique_ptr<curl_slist, ListCloser> headers;
  std::unique_ptr<curl_slist, ListCloser> recipients;
  std::size_t sent = 0;  // bytes of a mail
  std::unique_ptr<CURL, EasyCloser> easy;
};

std::size_t OnBody(char* bytes, std::size_t, std::size_t size, void* opaque) {
  auto* transfer = static_cast<Transfer*>(opaque);
  const std::size_t room = transfer->request.reply_bytes_max - transfer->reply_body.size();
  transfer->reply_body.append(bytes, std::min(room, size));
  // Fewer than `size` ends the transfer: nobody needs the rest, and it may never end.
  return std::min(room, size);
}

std::size_t OnMailRead(char* bytes, std::size_t, std::size_t room, void* opaque) {
  auto* transfer = static_cast<Transfer*>(opaque);
  const std::size_t size = transfer->request.body.copy(bytes, room, transfer->sent);
  transfer->sent += size;
  return size;
}

bool Append(const std::string& line, std::unique_ptr<curl_slist, ListCloser>* list) {
  curl_slist* longer = curl_slist_append(list->get(), line.c_str());
  if (longer == nullptr) return false;
  (void)list->release();  // the head of `longer`, or there was none
  list->reset(longer);
  return true;
}

bool SetHeaders(Transfer* transfer) {
  // Waiting for "100 Continue" costs a second where the receiver does not know it.
  bool good = Append("Expect:", &transfer->headers);
  for (const auto& [name, value] : transfer->request.headers) {
    // "Name:" would take a header away; "Name;" is libcurl's way to send it empty.
    good = good && Append(value.empty() ? absl::StrCat(name, ";") : absl::StrCat(name, ": ", value),
                          &transfer->headers);
  }
  return good;
}

// What HTTP and SMTP have in common.
bool SetCommonOptions(Transfer* transfer) {
  CURL* easy = transfer->easy.get();
  bool good = true;
  const auto set = [&](CURLoption option, auto value) {
    good = curl_easy_setopt(easy, option, value) == CURLE_OK && good;
  };
  const long timeout_ms = static_cast<long>(transfer->request.timeout / kMillisecondUs);
  set(CURLOPT_PRIVATE, static_cast<void*>(transfer));
  set(CURLOPT_ERRORBUFFER, static_cast<char*>(transfer->error));
  set(CURLOPT_URL, transfer->request.url.c_str());
  good = SetTransport(transfer->request.transport, easy) && good;
#if LIBCURL_VERSION_NUM >= 0x075700
  // It would remember authorities for a day, and not see that they were renewed.
  set(CURLOPT_CA_CACHE_TIMEOUT, 0L);
#endif
  set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  set(CURLOPT_FORBID_REUSE, 1L);
  set(CURLOPT_FRESH_CONNECT, 1L);
  set(CURLOPT_NOSIGNAL, 1L);
  // Else ending a request whose host name is still being looked up waits for that, and all with it.
  set(CURLOPT_QUICK_EXIT, 1L);
  set(CURLOPT_CONNECTTIMEOUT_MS,
      std::min(timeout_ms, static_cast<long>(kConnectTimeout / kMillisecondUs)));
  set(CURLOPT_TIMEOUT_MS, timeout_ms);
  set(CURLOPT_WRITEFUNCTION, &OnBody);
  set(CURLOPT_WRITEDATA, static_cast<void*>(transfer));
  return good;
}

bool SetHttpOptions(Transfer* transfer) {
  CURL* easy = transfer->easy.get();
  bool good = SetHeaders(transfer);
  const auto set = [&](CURLoption option, auto value) {
    good = curl_easy_setopt(easy, option, value) == CURLE_OK && good;
  };
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_USERAGENT, "tocsin/" TOCSIN_VERSION);
  set(CURLOPT_POST, 1L);
  set(CURLOPT_POSTFIELDS, transfer->request.body.data());
  set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(transfer->request.body.size()));
  if (transfer->request.method != "POST") {
    set(CURLOPT_CUSTOMREQUEST, transfer->request.method.c_str());
  }
  set(CURLOPT_HTTPHEADER, transfer->headers.get());
  return good;
}

bool SetMailOptions(Transfer* transfer) {
  CURL* easy = transfer->easy.get();
  const SinkRequest::Envelope& mail = transfer->request.mail;
  bool good = true;
  const auto set = [&](CURLoption option, auto value) {
    good = curl_easy_setopt(easy, option, value) == CURLE_OK && good;
  };
  for (const std::string& to : mail.to) {
    good = Append("<" + to + ">", &transfer->recipients) && good;
  }
  set(CURLOPT_PROTOCOLS_STR, "smtp,smtps");
  set(CURLOPT_USE_SSL, static_cast<long>(mail.tls ? CURLUSESSL_ALL : CURLUSESSL_NONE));
  if (!mail.user.empty()) {
    set(CURLOPT_USERNAME, mail.user.c_str());
    set(CURLOPT_PASSWORD, mail.password.c_str());
  }
  const std::string from = "<" + mail.from + ">";
  set(CURLOPT_MAIL_FROM, from.c_str());  // copied
  set(CURLOPT_MAIL_RCPT, transfer->recipients.get());
  set(CURLOPT_UPLOAD, 1L);
  set(CURLOPT_READFUNCTION, &OnMailRead);
  set(CURLOPT_READDATA, static_cast<void*>(transfer));
  return good;
}

bool SetOptions(Transfer* transfer) {
  return SetCommonOptions(transfer) &&
         (transfer->request.kind == SinkRequest::Kind::kMail ? SetMailOptions(transfer)
                                                             : SetHttpOptions(transfer));
}

SinkReply ReplyTo(Transfer* transfer, CURLcode result) {
  SinkReply reply;
  long status = 0;
  curl_easy_getinfo(transfer->easy.get(), CURLINFO_RESPONSE_CODE, &status);
  // A receiver that gave its status has decided, even if the text after it broke off. Of a mail it
  // is the reply to the last command: a good one decides nothing before the mail is taken.
  const bool mail = transfer->request.kind == SinkRequest::Kind::kMail;
  const bool decided = !mail || result == CURLE_OK || status >= 400;
  if (status >= 200 && decided) {
    reply.status = static_cast<int>(status);
    reply.body = mail ? std::string(transfer->error) : std::move(transfer->reply_body);
    curl_off_t seconds = 0;  // libcurl reads both forms of Retry-After; 0: none
    curl_easy_getinfo(transfer->easy.get(), CURLINFO_RETRY_AFTER, &seconds);
    // A day is past what anybody honours and far from overflow.
    if (seconds > 0) reply.retry_after_ms = std::min<curl_off_t>(seconds, 86'400) * 1000;
  } else {
    reply.error = transfer->error[0] != '\0' ? transfer->error : curl_easy_strerror(result);
  }
  return reply;
}

}  // namespace

class HttpClient::Impl {
 public:
  ~Impl() { CancelAll(); }

  absl::Status Init() {
    static const CURLcode global = curl_global_init(CURL_GLOBAL_DEFAULT);
    if (global == CURLE_OK) multi_.reset(curl_multi_init());
    if (multi_ == nullptr) return absl::ResourceExhaustedError("libcurl cannot be set up");
    return absl::OkStatus();
  }

  void Send(const Hash128& id, SinkRequest request, std::vector<Reply>* replies) {
    auto transfer = std::make_unique<Transfer>();
    transfer->id = id;
    transfer->request = std::move(request);
    transfer->easy.reset(curl_easy_init());
    const bool good = transfer->easy != nullptr && SetOptions(transfer.get()) &&
                      curl_multi_add_handle(multi_.get(), transfer->easy.get()) == CURLM_OK;
    if (!good) {
      replies->push_back({.id = id, .reply = {}});
      replies->back().reply.error = "the request cannot be set up";
      return;
    }
    transfers_[transfer->easy.get()] = std::move(transfer);
  }

  void Perform(absl::Duration wait, std::vector<Reply>* replies) {
    const std::size_t before = replies->size();
    Drive(replies);
    if (replies->size() > before || wait <= absl::ZeroDuration()) return;
    // Rounded up, lest the last fraction of a millisecond becomes a busy loop.
    const auto wait_ms =
        absl::ToInt64Milliseconds(absl::Ceil(std::min(wait, kWaitMax), absl::Milliseconds(1)));
    curl_multi_poll(multi_.get(), nullptr, 0, static_cast<int>(wait_ms), nullptr);
    Drive(replies);
  }

  void CancelAll() {
    for (const auto& [easy, transfer] : transfers_) curl_multi_remove_handle(multi_.get(), easy);
    transfers_.clear();
  }

  void Wakeup() { curl_multi_wakeup(multi_.get()); }

 private:
  void Drive(std::vector<Reply>* replies) {
    int running = 0;
    curl_multi_perform(multi_.get(), &running);
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      // Removing the handle frees the message.
      CURL* easy = message->easy_handle;
      const CURLcode result = message->data.result;
      curl_multi_remove_handle(multi_.get(), easy);
      const auto it = transfers_.find(easy);
      if (it == transfers_.end()) continue;
      replies->push_back({it->second->id, ReplyTo(it->second.get(), result)});
      transfers_.erase(it);
    }
  }

  std::unique_ptr<CURLM, MultiCloser> multi_;
  std::map<CURL*, std::unique_ptr<Transfer>> transfers_;
};

HttpClient::HttpClient() : impl_(std::make_unique<Impl>()) {}

HttpClient::~HttpClient() = default;

absl::Status HttpClient::Init() { return impl_->Init(); }

void HttpClient::Send(const Hash128& id, SinkRequest request, std::vector<Reply>* replies) {
  impl_->Send(id, std::move(request), replies);
}

void HttpClient::Perform(absl::Duration wait, std::vector<Reply>* replies) {
  impl_->Perform(wait, replies);
}

void HttpClient::CancelAll() { impl_->CancelAll(); }

void HttpClient::Wakeup() { impl_->Wakeup(); }

}  // namespace tocsin
