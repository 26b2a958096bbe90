#include "tests/ingest/hostile_payloads.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace tocsin {
namespace {

// ---- JSON ----

class JsonParts {
 public:
  explicit JsonParts(std::string_view json) : rest_(json) {}

  Part Value() {
    SkipSpace();
    if (rest_[0] == '{' || rest_[0] == '[') return List();
    if (rest_[0] == '"') return String("\"");
    const std::size_t end = std::min(rest_.find_first_of(",]} \n"), rest_.size());
    Part part;
    part.text = Take(end);
    part.stretches = part.text[0] != 't' && part.text[0] != 'f' && part.text[0] != 'n';
    return part;
  }

 private:
  void SkipSpace() { rest_.remove_prefix(std::min(rest_.find_first_not_of(" \n"), rest_.size())); }
  std::string Take(std::size_t size) {
    std::string text(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return text;
  }

  Part String(const char* tail) {
    std::size_t end = 1;
    while (rest_[end] != '"') end += rest_[end] == '\\' ? 2 : 1;
    Part part;
    part.head = "\"";
    part.tail = tail;
    part.text = Take(end + 1).substr(1, end - 1);
    part.stretches = true;
    return part;
  }

  Part Member() {
    Part member;
    member.kind = Part::Kind::kList;
    member.parts.push_back(String("\":"));
    SkipSpace();
    Take(1);  // the colon
    member.parts.push_back(Value());
    for (Part& part : member.parts) part.repeats = false;
    return member;
  }

  Part List() {
    Part list;
    list.kind = Part::Kind::kList;
    list.separator = ",";
    list.head = Take(1);
    for (SkipSpace(); rest_[0] != ']' && rest_[0] != '}'; SkipSpace()) {
      if (rest_[0] == ',') Take(1);
      SkipSpace();
      list.parts.push_back(list.head == "{" ? Member() : Value());
    }
    list.tail = Take(1);
    return list;
  }

  std::string_view rest_;
};

// ---- Protobuf ----

std::optional<std::uint64_t> TakeVarint(std::string_view* bytes) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64 && !bytes->empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes->front());
    bytes->remove_prefix(1);
    value |= std::uint64_t{byte & 0x7Fu} << shift;
    if (byte < 0x80) return value;
  }
  return std::nullopt;
}

std::string Varint(std::uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(0x80 | (value & 0x7F));
  return bytes + static_cast<char>(value);
}

bool IsPrintable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

// nullopt: not a message.
std::optional<std::vector<Part>> Fields(std::string_view bytes) {
  std::vector<Part> fields;
  while (!bytes.empty()) {
    const std::string_view begin = bytes;
    const std::optional<std::uint64_t> tag = TakeVarint(&bytes);
    if (!tag || *tag < 8) return std::nullopt;
    Part field;
    field.head = begin.substr(0, begin.size() - bytes.size());
    const std::string_view value = bytes;
    std::size_t size = 0;
    if ((*tag & 7) == 2) {
      const std::optional<std::uint64_t> length = TakeVarint(&bytes);
      if (!length || *length > bytes.size()) return std::nullopt;
      field.kind = Part::Kind::kMessage;
      field.text = bytes.substr(0, *length);
      bytes.remove_prefix(*length);
      std::optional<std::vector<Part>> inner;
      if (!IsPrintable(field.text)) inner = Fields(field.text);
      field.stretches = !inner;
      if (inner) field.parts = *std::move(inner);
      fields.push_back(std::move(field));
      continue;
    }
    if ((*tag & 7) == 1) {
      size = 8;
    } else if ((*tag & 7) == 5) {
      size = 4;
    } else if ((*tag & 7) != 0 || !TakeVarint(&bytes)) {
      return std::nullopt;
    } else {
      size = value.size() - bytes.size();
    }
    if (size > value.size()) return std::nullopt;
    field.text = value.substr(0, size);
    bytes = value.substr(size);
    fields.push_back(std::move(field));
  }
  return fields;
}

// ---- Text ----

bool IsWord(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

std::vector<Part> Signs(std::string_view text) {
  std::vector<Part> signs;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at + 1;
    while (IsWord(text[at]) && end < text.size() && IsWord(text[end])) ++end;
    Part sign;
    sign.text = text.substr(at, end - at);
    sign.stretches = IsWord(text[at]);
    signs.push_back(std::move(sign));
    at = end;
  }
  return signs;
}

// Pieces that each end with the first of these signs, or the last ones' between them.
std::vector<Part> Pieces(std::string_view text, std::string_view signs) {
  if (signs.empty()) return Signs(text);
  std::vector<Part> pieces;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(signs[0]), text.size() - 1) + 1;
    Part piece;
    piece.kind = Part::Kind::kList;
    piece.parts = Pieces(text.substr(0, end), signs.substr(1));
    // What has no such sign in it is no piece.
    if (end == text.size() && pieces.empty()) return std::move(piece.parts);
    pieces.push_back(std::move(piece));
    text.remove_prefix(end);
  }
  return pieces;
}

// ---- Rendering ----

struct Counted {
  Change change;
  std::size_t count;
};

class Renderer {
 public:
  explicit Renderer(std::vector<Counted> changes) : changes_(std::move(changes)) {}

  std::string Render(const Part& part) const {
    std::string body;
    if (part.parts.empty()) {
      const std::size_t count = CountOf(part, Change::Kind::kStretch);
      const std::string text = part.text.empty() ? "x" : part.text;
      body = part.text;
      for (std::size_t i = 0; i < count; ++i) body += text;
    }
    for (const Part& inner : part.parts) {
      if (&inner != &part.parts.front()) body += part.separator;
      body += Render(inner);
      const auto add = [&](std::size_t count, std::string (*render)(const Part&)) {
        const std::string more = count > 0 ? part.separator + render(inner) : "";
        for (std::size_t i = 0; i < count; ++i) body += more;
      };
      add(CountOf(inner, Change::Kind::kRepeat), Plain);
      add(CountOf(inner, Change::Kind::kRepeatEmpty), Empty);
    }
    if (part.kind == Part::Kind::kMessage) return part.head + Varint(body.size()) + body;
    return part.head + body + part.tail;
  }

  static std::string Plain(const Part& part) { return Renderer({}).Render(part); }
  static std::string Empty(const Part& part) {
    if (part.kind == Part::Kind::kMessage) return part.head + Varint(0);
    if (!part.head.empty() && !part.tail.empty()) return part.head + part.tail;
    if (part.kind == Part::Kind::kText) return part.head + part.text;
    std::string body;
    for (const Part& inner : part.parts) body += Empty(inner);
    return body;
  }

 private:
  std::size_t CountOf(const Part& part, Change::Kind kind) const {
    for (const Counted& counted : changes_) {
      if (counted.change.part == &part && counted.change.kind == kind) return counted.count;
    }
    return 0;
  }

  std::vector<Counted> changes_;
};

void AddChanges(const Part& part, std::vector<Change>* changes) {
  for (const Part& inner : part.parts) {
    if (inner.repeats) {
      changes->push_back({&inner, Change::Kind::kRepeat});
      if (Renderer::Empty(inner) != Renderer::Plain(inner)) {
        changes->push_back({&inner, Change::Kind::kRepeatEmpty});
      }
    }
    if (inner.stretches) changes->push_back({&inner, Change::Kind::kStretch});
    AddChanges(inner, changes);
  }
}

}  // namespace

Part JsonPart(std::string_view json) { return JsonParts(json).Value(); }

Part ProtobufPart(std::string_view message) {
  Part root;
  root.kind = Part::Kind::kList;
  root.parts = Fields(message).value();
  return root;
}

Part TextPart(std::string_view text) {
  Part root;
  root.kind = Part::Kind::kList;
  root.parts = Pieces(text, "\n ,");
  return root;
}

std::vector<Change> ChangesOf(const Part& root) {
  std::vector<Change> changes;
  AddChanges(root, &changes);
  return changes;
}

std::string TextOf(const Change& change) {
  constexpr const char* kNames[] = {"repeat ", "repeat, empty, ", "stretch "};
  const std::string part = Renderer::Plain(*change.part);
  std::string text = kNames[static_cast<int>(change.kind)];
  for (const char c : part.substr(0, 60)) text += c >= ' ' && c <= '~' ? c : '.';
  return text;
}

std::string WithChanges(const Part& root, const std::vector<Change>& changes, std::size_t bytes) {
  std::vector<Counted> counted;
  for (const Change& change : changes) {
    const Part& part = *change.part;
    const std::size_t size = change.kind == Change::Kind::kRepeat ? Renderer::Plain(part).size()
                             : change.kind == Change::Kind::kRepeatEmpty
                                 ? Renderer::Empty(part).size()
                                 : part.text.size();
    counted.push_back({change, bytes / std::max<std::size_t>(size, 1)});
  }
  return Renderer(std::move(counted)).Render(root);
}

}  // namespace tocsin
