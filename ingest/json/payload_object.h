// Reads the fields that a decoder needs from a vendor's JSON document.
//
//   std::string_view rule = alert.Object<"labels">().Text<"alertname">();  // empty: absent
//   TimeUs start = alert.Time<"startsAt">();                               // kNoTime: absent
//   alert.ForEach<"matches">([&](const PayloadObject& match) { … });
//
// A field that is absent or null reads as empty, and so does everything inside it. A field of the
// wrong type also reads as empty and is a fault, such as "summary is not a string"; the first fault
// is stored in the JsonFault that the constructor was given. A view into the parsed document: valid
// until its parser parses the next one. Not thread-safe.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <simdjson.h>

#include "core/time.h"
#include "ingest/json/json_fault.h"

namespace tocsin {

// A string literal as a template argument, so that faults are static strings that name the field.
template <std::size_t kBytes>
struct PayloadKey {
  // NOLINTNEXTLINE(google-explicit-constructor): literals must convert implicitly.
  constexpr PayloadKey(const char (&literal)[kBytes]) {
    std::copy_n(literal, kBytes, chars.begin());
  }
  constexpr std::string_view view() const { return {chars.data(), kBytes - 1}; }
  std::array<char, kBytes> chars{};
};

template <PayloadKey kKey, PayloadKey kWhat>
inline constexpr auto kPayloadFault = [] {
  std::array<char, kKey.view().size() + kWhat.view().size()> text{};
  std::copy_n(kWhat.chars.begin(), kWhat.view().size(),
              std::copy_n(kKey.chars.begin(), kKey.view().size(), text.begin()));
  return text;
}();

class PayloadObject {
 public:
  PayloadObject() = default;  // an absent object
  PayloadObject(simdjson::dom::object object, JsonFault* fault) : object_(object), fault_(fault) {}

  bool present() const { return object_.has_value(); }

  template <PayloadKey kKey>
  bool Has() const {
    return Find(kKey.view()).has_value();
  }

  template <PayloadKey kKey>
  std::string_view Text() const {
    return TextOf(kKey.view(), Fault<kKey, " is not a string">());
  }
  // A string or an integer: vendors write ids either way.
  template <PayloadKey kKey>
  std::string Id() const {
    return IdOf(kKey.view(), Fault<kKey, " is neither a string nor an integer">());
  }
  template <PayloadKey kKey>
  std::optional<double> Number() const {
    return NumberOf(kKey.view(), Fault<kKey, " is not a number in range">());
  }
  // An integer, also as a string: protobuf's JSON mapping writes 64-bit integers so. Rounded beyond
  // 2^53.
  template <PayloadKey kKey>
  std::optional<double> Integer() const {
    return IntegerOf(kKey.view(), Fault<kKey, " is not an integer">());
  }
  template <PayloadKey kKey>
  std::optional<std::uint64_t> Unsigned() const {
    return UnsignedOf(kKey.view(), Fault<kKey, " is not an integer">());
  }
  // False where it is absent.
  template <PayloadKey kKey>
  bool Boolean() const {
    return BooleanOf(kKey.view(), Fault<kKey, " is neither true nor false">());
  }
  // RFC 3339, also with a space before the zone, or an epoch number. Go's zero time reads as
  // absent.
  template <PayloadKey kKey>
  TimeUs Time() const {
    return TimeOf(kKey.view(), Fault<kKey, " is neither an RFC 3339 time nor an epoch number">());
  }
  template <PayloadKey kKey>
  PayloadObject Object() const {
    return ObjectOf(kKey.view(), Fault<kKey, " is not an object">());
  }
  // Calls `visit` for each element of an array. An element that is not an object is a fault and is
  // visited as an absent object.
  template <PayloadKey kKey, typename Visit>
  void ForEach(Visit visit) const {
    const std::optional<simdjson::dom::array> array =
        ArrayOf(kKey.view(), Fault<kKey, " is not an array">());
    if (!array) return;
    for (const simdjson::dom::element element : *array) {
      visit(AsObject(element, Fault<kKey, " has an element that is not an object">()));
    }
  }
  // Calls visit(text) for each element of an array of strings.
  template <PayloadKey kKey, typename Visit>
  void ForEachTextIn(Visit visit) const {
    const std::optional<simdjson::dom::array> array =
        ArrayOf(kKey.view(), Fault<kKey, " is not an array">());
    if (!array) return;
    for (const simdjson::dom::element element : *array) {
      std::string_view text;
      if (element.get(text)) {
        Refuse(Fault<kKey, " has an element that is not a string">());
      } else {
        visit(text);
      }
    }
  }
  // Calls visit(name, value) for each element of an array of pairs of strings. Pairs with a missing
  // or null name or value are ignored.
  template <PayloadKey kKey, typename Visit>
  void ForEachPair(Visit visit) const {
    const std::optional<simdjson::dom::array> array =
        ArrayOf(kKey.view(), Fault<kKey, " is not an array">());
    if (!array) return;
    for (const simdjson::dom::element element : *array) {
      simdjson::dom::array pair;
      if (element.get(pair)) {
        Refuse(Fault<kKey, " has an element that is not a pair of strings">());
        continue;
      }
      std::string_view name;
      std::string_view value;
      if (!pair.at(0).get(name) && !pair.at(1).get(value)) visit(name, value);
    }
  }
  // Calls visit(name, text) for each member that is a string. Null is ignored, other types are
  // faults.
  template <typename Visit>
  void ForEachText(Visit visit) const {
    if (!present()) return;
    for (const simdjson::dom::key_value_pair member : *object_) {
      if (member.value.is_null()) continue;
      std::string_view text;
      if (member.value.get(text)) {
        Refuse(json_fault::kLabelType);
      } else {
        visit(member.key, text);
      }
    }
  }

  // Calls visit(name, number) for each member that is a number, or a boolean as 0 or 1. Strings and
  // null are ignored, objects and arrays are faults.
  template <typename Visit>
  void ForEachNumber(Visit visit) const {
    if (!present()) return;
    for (const simdjson::dom::key_value_pair member : *object_) {
      double number = 0;
      bool yes = false;
      if (!member.value.get(number)) {
        visit(member.key, number);
      } else if (!member.value.get(yes)) {
        visit(member.key, yes ? 1.0 : 0.0);
      } else if (!member.value.is_string() && !member.value.is_null()) {
        Refuse("a field that is not a number, boolean or string");
      }
    }
  }

 private:
  template <PayloadKey kKey, PayloadKey kWhat>
  static JsonFault Fault() {
    return {kPayloadFault<kKey, kWhat>.data(), kPayloadFault<kKey, kWhat>.size()};
  }
  void Refuse(JsonFault fault) const {
    if (fault_->empty()) *fault_ = fault;
  }
  // nullopt if absent or null.
  std::optional<simdjson::dom::element> Find(std::string_view key) const;
  PayloadObject AsObject(simdjson::dom::element element, JsonFault fault) const;
  std::string_view TextOf(std::string_view key, JsonFault fault) const;
  std::string IdOf(std::string_view key, JsonFault fault) const;
  std::optional<double> NumberOf(std::string_view key, JsonFault fault) const;
  std::optional<double> IntegerOf(std::string_view key, JsonFault fault) const;
  std::optional<std::uint64_t> UnsignedOf(std::string_view key, JsonFault fault) const;
  bool BooleanOf(std::string_view key, JsonFault fault) const;
  TimeUs TimeOf(std::string_view key, JsonFault fault) const;
  PayloadObject ObjectOf(std::string_view key, JsonFault fault) const;
  std::optional<simdjson::dom::array> ArrayOf(std::string_view key, JsonFault fault) const;

  std::optional<simdjson::dom::object> object_;
  JsonFault* fault_ = nullptr;
};

// The first of the two that is not empty.
inline std::string_view FirstOf(std::string_view text, std::string_view other) {
  return text.empty() ? other : text;
}

}  // namespace tocsin
