// Writes JSON text whose bytes depend on the values only.
//
//   JsonWriter json;
//   json.BeginObject();
//   json.Key("service").String("api");  json.Key("value").Number(0.5);  json.Key("n").Int(3);
//   json.EndObject();
//   std::string line = json.Take();
//
// Doubles print with 9 significant digits (the project's rule for printed doubles), non-finite ones
// as null. Strings are escaped per RFC 8259; bytes that are not UTF-8 become U+FFFD. No locale, no
// whitespace. REQUIRES: calls nest properly (CHECKed in debug builds). Not thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tocsin {

class JsonWriter {
 public:
  JsonWriter& BeginObject();
  JsonWriter& EndObject();
  JsonWriter& BeginArray();
  JsonWriter& EndArray();
  JsonWriter& Key(std::string_view key);
  JsonWriter& String(std::string_view value);
  JsonWriter& Number(double value);
  JsonWriter& Int(std::int64_t value);
  JsonWriter& Bool(bool value);
  JsonWriter& Null();
  // Text that already is JSON.
  JsonWriter& Raw(std::string_view json);

  const std::string& text() const { return out_; }
  // The text so far; the writer is empty afterwards and may be used again.
  std::string Take() { return std::exchange(out_, {}); }

 private:
  struct Level {
    bool is_object = false;
    bool has_members = false;
  };

  void Begin(bool is_object, char bracket);
  void End(bool is_object, char bracket);
  // Writes the comma, if any, that precedes a value.
  void Separate();

  std::string out_;
  std::vector<Level> levels_;  // the open objects and arrays
  bool after_key_ = false;
};

// A double as we print it everywhere: 9 significant digits, shortest form, "0" for −0; "nan", "inf"
// and "-inf" outside JSON.
std::string FormatNumber(double value);

}  // namespace tocsin
