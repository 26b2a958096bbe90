#include "config/matcher.h"

#include <re2/re2.h>

#include <algorithm>

#include "core/limits.h"

namespace tocsin {
namespace {

// One expression costs at most this much memory; user input compiles it.
constexpr std::int64_t kRegexBytesMax = 1 << 20;

bool IsNameByte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.' || c == '-';
}

}  // namespace

absl::StatusOr<Matcher> Matcher::Parse(std::string_view text) {
  const auto end = std::find_if_not(text.begin(), text.end(), IsNameByte);
  Matcher matcher;
  matcher.name_ = std::string(text.begin(), end);
  if (text.size() > limits::kMatcherBytesMax) {
    return absl::InvalidArgumentError("the matcher of '" + matcher.name_.substr(0, 64) + "' has " +
                                      std::to_string(text.size()) + " bytes: expected at most " +
                                      std::to_string(limits::kMatcherBytesMax) +
                                      "; name=~expression matches a longer value");
  }
  std::string_view rest = text.substr(matcher.name_.size());
  matcher.negated_ = rest.starts_with('!');
  if (matcher.negated_) rest.remove_prefix(1);
  const bool equal = rest.starts_with('=');
  const bool regex = rest.starts_with(matcher.negated_ ? "~" : "=~");
  if (matcher.name_.empty() || (!equal && !regex)) {
    return absl::InvalidArgumentError("'" + std::string(text) +
                                      "' is no matcher: expected name=value, name!=value, "
                                      "name=~expression or name!~expression");
  }
  rest.remove_prefix(regex && !matcher.negated_ ? 2 : 1);
  matcher.value_ = std::string(rest);
  if (!regex) return matcher;
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kRegexBytesMax);
  auto compiled = std::make_shared<re2::RE2>(matcher.value_, options);
  if (!compiled->ok()) {
    return absl::InvalidArgumentError("'" + std::string(text) +
                                      "': the expression is wrong: " + compiled->error());
  }
  matcher.regex_ = std::move(compiled);
  return matcher;
}

bool Matcher::Matches(const Labels& labels) const {
  const auto found = std::find_if(labels.begin(), labels.end(),
                                  [this](const auto& label) { return label.first == name_; });
  if (found == labels.end()) return negated_;
  const std::string& value = found->second;
  const bool equal = regex_ == nullptr ? value == value_
                                       : re2::RE2::FullMatch(
                                             re2::StringPiece(value.data(), value.size()), *regex_);
  return equal != negated_;
}

}  // namespace tocsin
