// One condition on the labels of a signal, as silences and inhibition rules write it.
//
//   absl::StatusOr<Matcher> m = Matcher::Parse("endpoint=~/export.*");
//   if (m->Matches({{"env", "prod"}, {"endpoint", "/export/csv"}})) …
//
// `name=value`, `name!=value`, `name=~RE2` and `name!~RE2`; the expression must match the whole
// value. Missing is not equal: a label that is not there fails `=` and `=~`, whatever they ask for,
// and passes `!=` and `!~`. At most limits::kMatcherBytesMax long. Immutable and thread-safe;
// copies share the compiled expression.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "core/labels.h"

namespace re2 {
class RE2;
}

namespace tocsin {

class Matcher {
 public:
  // InvalidArgument says what is wrong with `text`, and what was expected.
  static absl::StatusOr<Matcher> Parse(std::string_view text);

  bool Matches(const Labels& labels) const;

 private:
  std::string name_;
  std::string value_;
  bool negated_ = false;
  std::shared_ptr<const re2::RE2> regex_;  // of =~ and !~; immutable
};

}  // namespace tocsin
