#include "sinks/sink.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "core/string_hash.h"
#include "sinks/text.h"

namespace tocsin {
namespace {

// Enough for an API's error message; the text is kept with the delivery.
constexpr std::size_t kDescriptionBytesMax = 300;

}  // namespace

SendOutcome Sink::JudgeAnswer(const SinkReply& reply) const {
  if (reply.status >= 200 && reply.status < 300) return SendOutcome::kDelivered;
  if (reply.status == 0 || reply.status == 429 || reply.status >= 500) return SendOutcome::kRetry;
  return SendOutcome::kRefused;
}

std::string Sink::Describe(const SinkReply& reply) const {
  std::string text = reply.status == 0 ? (reply.error.empty() ? "no answer" : reply.error)
                                       : absl::StrCat(ToAbsl(protocol()), " ", reply.status);
  if (reply.status != 0 && !reply.body.empty()) absl::StrAppend(&text, ": ", reply.body);
  for (const std::string& secret : secrets_) {
    // Before cutting, so that no part of a secret remains.
    if (!secret.empty()) absl::StrReplaceAll({{secret, "(secret)"}}, &text);
  }
  return OneLine(text, kDescriptionBytesMax);
}

}  // namespace tocsin
