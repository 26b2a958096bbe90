// Collects the labels of an event of a text format: the mapping's constants and a line's own
// labels.
//
//   LineLabels labels(constants, {.of_a_line = 3, .format = "an access log"}, input, &errors);
//   labels.Begin();
//   labels.Add("bytes", "512");             // ignored if the value is empty or too long
//   event.labels = labels.view();
//
// Allocates nothing. The view is valid until the next Begin. Not thread-safe.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "config/config.h"
#include "config/node.h"
#include "core/event.h"
#include "core/limits.h"
#include "ingest/fields/mapped_constants.h"

namespace tocsin {

class LineLabels {
 public:
  struct Options {
    std::size_t of_a_line;    // at most so many per line; the constants get the rest of kLabelsMax
    std::string_view format;  // for messages, such as "an access log"
  };
  LineLabels(const MappedConstants& constants, const Options& options, const InputConfig& input,
             ErrorList* errors)
      : constants_(std::min(constants.labels().size(), limits::kLabelsMax - options.of_a_line)) {
    if (constants.labels().size() > constants_) {
      errors->Add(input.at, "map: more labels than the " + std::to_string(constants_) + " that " +
                                std::string(options.format) + " leaves room for");
    }
    std::copy_n(constants.labels().begin(), constants_, labels_.begin());
  }

  void Begin() { used_ = constants_; }
  void Add(std::string_view name, std::string_view value) {
    if (value.empty() || value.size() > limits::kLabelValueBytesMax) return;
    if (used_ < labels_.size()) labels_[used_++] = {name, value};
  }
  std::span<const LabelView> view() const { return {labels_.data(), used_}; }

 private:
  const std::size_t constants_;
  std::size_t used_ = 0;
  std::array<LabelView, limits::kLabelsMax> labels_;
};

}  // namespace tocsin
