// E-mail through an SMTP server.
//
//   - {name: mail, kind: email, server: "smtp://mail.example:587", from: tocsin@example.com,
//      to: [oncall@example.com], user: tocsin, password_file: /run/secrets/smtp}
//
// Keys: server (smtp:// with STARTTLS, or smtps://), from, to, user with password_file or
// password_env (optional), tls (false: plain text, for a relay on this machine), timeout. Messages
// use the `email` templates (sinks/message.h), whose first line is the subject. The Message-ID is
// the same in every attempt, so that a repeat after a lost reply can be recognised, and all
// messages of an incident form one thread (References). Formats: RFC 5321, RFC 5322, RFC 2047.
#include <algorithm>

#include <optional>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/string_hash.h"
#include "sinks/incident_line.h"
#include "sinks/sink.h"
#include "sinks/stanza.h"
#include "sinks/text.h"

namespace tocsin {
namespace {

constexpr std::size_t kSubjectBytesMax = 200;
constexpr std::size_t kRecipientsMax = 50;
constexpr std::size_t kAddressBytesMax = 254;  // RFC 5321, 4.5.3.1.3
// Bytes in a line of base64 (RFC 2045, 6.8), and in an encoded word of 75 characters (RFC 2047, 2).
constexpr std::size_t kBase64LineBytes = 57;
constexpr std::size_t kEncodedWordBytes = 45;

// Whether it is a plain address without a display name or quoted parts, which can be put into
// headers and SMTP commands unchanged.
bool IsAddress(const std::string& text) {
  const std::size_t at = text.find('@');
  return at != std::string::npos && at > 0 && at + 1 < text.size() &&
         text.find('@', at + 1) == std::string::npos && text.size() <= kAddressBytesMax &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return c > 0x20 && c < 0x7F &&
                  std::string_view("<>()[]\\,;:\"").find(c) == std::string_view::npos;
         });
}

std::string Base64(std::string_view bytes) { return absl::Base64Escape(ToAbsl(bytes)); }

// The text as encoded words (RFC 2047). No character is split between two words.
std::string EncodedWords(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    std::size_t size = std::min(text.size(), kEncodedWordBytes);
    while (size < text.size() && size > 1 &&
           (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) {
      --size;
    }
    words.push_back(absl::StrCat("=?UTF-8?B?", Base64(text.substr(0, size)), "?="));
    text.remove_prefix(size);
  }
  return absl::StrJoin(words, "\r\n ");
}

class EmailSink final : public Sink {
 public:
  struct Options {
    std::string server, from, user, password;
    std::vector<std::string> to;
    bool tls = true;
    DurationUs timeout = 30 * kSecondUs;
  };

  EmailSink(std::string name, Options options)
      : Sink(std::move(name), "email"), options_(std::move(options)) {
    AddSecret(options_.password);
  }

  std::string_view protocol() const override { return "SMTP"; }

  SinkRequest Render(const Delivery& delivery) const override {
    SinkRequest request;
    const absl::StatusOr<Incident> incident = ReadIncident(delivery.payload);
    const std::optional<MessageStage> stage =
        incident.ok() ? StageToTell(delivery, *incident) : MessageStage::kDeclared;
    request.kind = SinkRequest::Kind::kNone;
    if (!stage) return request;
    request.kind = SinkRequest::Kind::kMail;
    request.url = options_.server;
    request.timeout = options_.timeout;
    request.mail = {.from = options_.from,
                    .to = options_.to,
                    .user = options_.user,
                    .password = options_.password,
                    .tls = options_.tls};
    request.body = Text(
        delivery, incident.ok() ? templates().Render(MessageAudience::kEmail, *stage, *incident)
                                : "Subject: incident " + delivery.dedup_key + "\n\n");
    return request;
  }

  // SMTP replies: 4xx is a transient failure, 5xx a permanent one.
  SendOutcome JudgeAnswer(const SinkReply& reply) const override {
    if (reply.status >= 200 && reply.status < 300) return SendOutcome::kDelivered;
    return reply.status >= 500 ? SendOutcome::kRefused : SendOutcome::kRetry;
  }

 private:
  std::string Text(const Delivery& delivery, const std::string& message) const {
    std::string subject = "Incident";
    std::string_view body = message;
    if (absl::StartsWith(message, "Subject: ")) {
      const std::size_t end = std::min(message.find('\n'), message.size());
      subject = message.substr(9, end - 9);
      body.remove_prefix(end);
      body.remove_prefix(std::min(body.find_first_not_of('\n'), body.size()));
    }
    const std::string domain = options_.from.substr(options_.from.find('@') + 1);
    const std::string first = absl::StrCat("<", delivery.incident.Hex(), "@", domain, ">");
    std::string text = absl::StrCat(
        "From: tocsin <", options_.from, ">\r\nTo: ", absl::StrJoin(options_.to, ",\r\n "),
        "\r\nSubject: ", EncodedWords(OneLine(subject, kSubjectBytesMax)), "\r\nMessage-ID: <",
        delivery.id.Hex(), "@", domain, ">\r\nReferences: ", first, "\r\nIn-Reply-To: ", first,
        "\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n");
    for (std::size_t at = 0; at < body.size(); at += kBase64LineBytes) {
      absl::StrAppend(&text, Base64(body.substr(at, kBase64LineBytes)), "\r\n");
    }
    return text;
  }

  const Options options_;
};

}  // namespace

std::unique_ptr<Sink> NewEmailSink(const std::string& name, ConfigReader* reader) {
  EmailSink::Options options;
  options.server = reader->RequiredString("server");
  if (!options.server.empty() && !absl::StartsWith(options.server, "smtp://") &&
      !absl::StartsWith(options.server, "smtps://")) {
    reader->Error("server", "server: expected smtp://HOST:PORT or smtps://HOST:PORT");
  }
  options.from = reader->RequiredString("from");
  if (!options.from.empty() && !IsAddress(options.from)) {
    reader->Error("from", "from: expected an address such as tocsin@example.com");
  }
  for (const ConfigNode& address : reader->Texts("to")) {
    options.to.push_back(address.scalar);
    if (!IsAddress(address.scalar)) {
      reader->errors()->Add(address.at, absl::StrCat("to: '", absl::CHexEscape(address.scalar),
                                                     "' is not a valid address"));
    }
  }
  const std::string count = absl::StrCat("to: expected 1 to ", kRecipientsMax, " addresses");
  if (!reader->Has("to")) {
    reader->Missing("to", count);
  } else if (reader->Sound("to") && (options.to.empty() || options.to.size() > kRecipientsMax)) {
    reader->Error("to", count);
  }
  options.user = reader->String("user");
  options.password =
      ReadSecret("password", "the password of the SMTP user", /*optional=*/true, reader);
  if (reader->Has("user") != (reader->Has("password_file") || reader->Has("password_env"))) {
    reader->Missing("user", "user and password_file (or password_env) go together");
  }
  options.tls = reader->Bool("tls", true);
  options.timeout = reader->Duration("timeout", options.timeout, kSecondUs, 5 * kMinuteUs);
  return std::make_unique<EmailSink>(name, std::move(options));
}

}  // namespace tocsin
