#include "core/json_writer.h"

#include <cassert>
#include <charconv>
#include <system_error>

namespace tocsin {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

constexpr bool IsPlain(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x20 && byte < 0x80 && c != '"' && c != '\\';
}

struct Sequence {
  std::size_t size;
  bool valid;
};

// The UTF-8 sequence `text` starts with or, if it is not valid, the part of it that one replacement
// stands for (the "maximal subpart" of Unicode 15, section 3.9, table 3-7).
// REQUIRES: text starts with a byte of 0x80 or above.
Sequence NextSequence(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  std::size_t size = 0;
  // Which second bytes may follow: narrower after E0, ED, F0 and F4, to keep out overlong forms,
  // surrogates and what lies past U+10FFFF.
  unsigned least = 0x80;
  unsigned most = 0xBF;
  if (lead >= 0xC2 && lead <= 0xDF) {
    size = 2;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    size = 3;
    if (lead == 0xE0) least = 0xA0;
    if (lead == 0xED) most = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    size = 4;
    if (lead == 0xF0) least = 0x90;
    if (lead == 0xF4) most = 0x8F;
  } else {
    return {.size = 1, .valid = false};
  }
  for (std::size_t i = 1; i < size; ++i) {
    const unsigned byte = i < text.size() ? static_cast<unsigned char>(text[i]) : 0;
    if (byte < least || byte > most) return {.size = i, .valid = false};
    least = 0x80;
    most = 0xBF;
  }
  return {.size = size, .valid = true};
}

void AppendEscaped(char c, std::string* out) {
  out->push_back('\\');
  switch (c) {
    case '"':
    case '\\':
      out->push_back(c);
      return;
    case '\b':
      out->push_back('b');
      return;
    case '\f':
      out->push_back('f');
      return;
    case '\n':
      out->push_back('n');
      return;
    case '\r':
      out->push_back('r');
      return;
    case '\t':
      out->push_back('t');
      return;
    default: {
      constexpr std::string_view kDigits = "0123456789abcdef";
      out->append("u00");
      out->push_back(kDigits[static_cast<unsigned char>(c) >> 4]);
      out->push_back(kDigits[static_cast<unsigned char>(c) & 0xf]);
    }
  }
}

void AppendQuoted(std::string_view text, std::string* out) {
  out->push_back('"');
  while (!text.empty()) {
    std::size_t plain = 0;
    while (plain < text.size() && IsPlain(text[plain])) ++plain;
    out->append(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) break;
    if (static_cast<unsigned char>(text[0]) < 0x80) {
      AppendEscaped(text[0], out);
      text.remove_prefix(1);
      continue;
    }
    const Sequence sequence = NextSequence(text);
    out->append(sequence.valid ? text.substr(0, sequence.size) : kReplacement);
    text.remove_prefix(sequence.size);
  }
  out->push_back('"');
}

bool IsFinite(double value) { return value - value == 0; }

}  // namespace

void JsonWriter::Separate() {
  if (after_key_) {
    after_key_ = false;
    return;
  }
  if (levels_.empty()) return;
  assert(!levels_.back().is_object && "a member needs a key");
  if (levels_.back().has_members) out_.push_back(',');
  levels_.back().has_members = true;
}

void JsonWriter::Begin(bool is_object, char bracket) {
  Separate();
  out_.push_back(bracket);
  levels_.push_back({.is_object = is_object, .has_members = false});
}

void JsonWriter::End([[maybe_unused]] bool is_object, char bracket) {
  assert(!levels_.empty() && levels_.back().is_object == is_object && "brackets do not match");
  assert(!after_key_ && "a key needs a value");
  levels_.pop_back();
  out_.push_back(bracket);
}

JsonWriter& JsonWriter::BeginObject() {
  Begin(true, '{');
  return *this;
}

JsonWriter& JsonWriter::EndObject() {
  End(true, '}');
  return *this;
}

JsonWriter& JsonWriter::BeginArray() {
  Begin(false, '[');
  return *this;
}

JsonWriter& JsonWriter::EndArray() {
  End(false, ']');
  return *this;
}

JsonWriter& JsonWriter::Key(std::string_view key) {
  assert(!levels_.empty() && levels_.back().is_object && !after_key_ && "a key outside an object");
  if (levels_.back().has_members) out_.push_back(',');
  levels_.back().has_members = true;
  AppendQuoted(key, &out_);
  out_.push_back(':');
  after_key_ = true;
  return *this;
}

JsonWriter& JsonWriter::String(std::string_view value) {
  Separate();
  AppendQuoted(value, &out_);
  return *this;
}

JsonWriter& JsonWriter::Number(double value) {
  if (!IsFinite(value)) return Null();
  return Raw(FormatNumber(value));
}

JsonWriter& JsonWriter::Int(std::int64_t value) { return Raw(std::to_string(value)); }

JsonWriter& JsonWriter::Bool(bool value) { return Raw(value ? "true" : "false"); }

JsonWriter& JsonWriter::Null() { return Raw("null"); }

JsonWriter& JsonWriter::Raw(std::string_view json) {
  Separate();
  out_.append(json);
  return *this;
}

std::string FormatNumber(double value) {
  if (value != value) return "nan";  // a NaN's sign says nothing
  if (value == 0) return "0";
  char buffer[32];
  const auto [end, error] =
      std::to_chars(buffer, buffer + sizeof(buffer), value, std::chars_format::general, 9);
  assert(error == std::errc());
  return std::string(buffer, end);
}

}  // namespace tocsin
