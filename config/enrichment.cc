#include "config/enrichment.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>

#include "absl/strings/str_cat.h"
#include "config/value.h"
#include "core/limits.h"

namespace tocsin {
namespace {

constexpr std::size_t kRowsMax = 100'000;
constexpr std::uintmax_t kFileBytesMax = 64 << 20;

// Whether `text` fits a pattern in which * is any text.
bool Fits(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0;
  std::size_t star = pattern.npos, resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p, ++t;
    } else if (star != pattern.npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == pattern.npos;
}

// Texts alone: what an event is, and its numbers, are not known by a name.
bool CanBeSet(const FieldRef& field) {
  return field.kind == FieldRef::Kind::kField || field.kind == FieldRef::Kind::kLabel;
}

// The cells of the next line of a CSV text, which moves behind it; nullopt: a quote without an end.
std::optional<std::vector<std::string>> NextLine(std::string_view* text, int* line) {
  std::vector<std::string> cells(1);
  bool quoted = false;
  ++*line;
  for (; !text->empty(); text->remove_prefix(1)) {
    const char c = text->front();
    if (quoted) {
      if (c == '\n') ++*line;
      if (c != '"') {
        cells.back() += c;
      } else if (text->substr(1).starts_with('"')) {
        cells.back() += c;
        text->remove_prefix(1);
      } else {
        quoted = false;
      }
    } else if (c == '"' && cells.back().empty()) {
      quoted = true;
    } else if (c == ',') {
      cells.emplace_back();
    } else if (c == '\n') {
      text->remove_prefix(1);
      break;
    } else if (c != '\r') {
      cells.back() += c;
    }
  }
  return quoted ? std::nullopt : std::optional(std::move(cells));
}

std::string ReadWhole(const std::filesystem::path& path, std::string* error) {
  std::error_code code;
  const std::uintmax_t size = std::filesystem::file_size(path, code);
  std::ifstream file(path, std::ios::binary);
  if (code || !file) {
    *error = "cannot be read";
    return "";
  }
  if (size > kFileBytesMax) {
    *error = "is larger than 64 MiB";
    return "";
  }
  std::string text(static_cast<std::size_t>(size), '\0');
  file.read(text.data(), static_cast<std::streamsize>(size));
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

}  // namespace

const EnrichmentTable::Row* EnrichmentTable::Find(std::string_view value) const {
  if (const auto whole = whole_.find(std::string(value)); whole != whole_.end()) {
    return &rows_[whole->second];
  }
  for (const auto& [pattern, row] : patterns_) {
    if (Fits(pattern, value)) return &rows_[row];
  }
  return nullptr;
}

// Reads one stanza of `enrich`.
class EnrichmentReader {
 public:
  EnrichmentReader(const ConfigNode& node, ErrorList* errors)
      : reader_(node, "enrich", errors), errors_(*errors) {}

  EnrichmentTable Read() {
    const std::string from = reader_.RequiredString("from");
    if (const auto field = FieldRef::Parse(from); field && CanBeSet(*field)) {
      table_.from_ = *field;
    } else if (!from.empty()) {
      reader_.Error("from", absl::StrCat("from: ", Quoted(from), kNoField));
    }
    table_.overwrite_ = reader_.Bool("overwrite", false);
    const std::string to = reader_.String("to");
    to_field_ = FieldRef::Parse(to);
    if (!to.empty() && (!to_field_ || !CanBeSet(*to_field_))) {
      reader_.Error("to", absl::StrCat("to: ", Quoted(to), kNoField));
      to_field_.reset();
    }
    const ConfigNode* values = reader_.Node("values");
    const std::string file = reader_.String("file");
    if (values == nullptr && !reader_.Has("file")) {
      reader_.Missing("from", "enrich: expected either values or a file (CSV)");
    } else if (values != nullptr && reader_.Has("file")) {
      reader_.Error("file", "enrich: expected either values or a file (CSV)");
    }
    if (values != nullptr) ReadValues(*values, to);
    if (!file.empty()) {
      if (values == nullptr && !to.empty()) {
        reader_.Error("to", "to: a file's first line says what its columns are");
      }
      ReadCsv(file, reader_.Sound("from") ? from : "");
    }
    reader_.Finish();
    return std::move(table_);
  }

 private:
  static constexpr const char* kNoField =
      " is not a string field of an event: expected a field such as service, host or labels.x";

  void ReadValues(const ConfigNode& values, const std::string& to) {
    if (values.kind != ConfigNode::Kind::kMap) {
      return reader_.Error("values", "values: expected a map such as {web-1: {service: shop}}");
    }
    for (std::size_t i = 0; i < values.map.size(); ++i) {
      const auto& [value, known] = values.map[i];
      const Location& at = values.key_locations[i];
      EnrichmentTable::Row row;
      if (known.kind == ConfigNode::Kind::kMap) {
        for (std::size_t cell = 0; cell < known.map.size(); ++cell) {
          const auto& [field, text] = known.map[cell];
          const std::optional<std::string> read = TextValue(text, field, &errors_);
          if (read) AddNamedCell(field, *read, known.key_locations[cell], &row);
        }
      } else if (!reader_.Has("to")) {
        errors_.AddMissing(at, "values: expected a map of fields, or the field of all as `to`");
      } else if (const auto text = TextValue(known, value, &errors_)) {
        if (to_field_) AddCell(*to_field_, to, *text, at, &row);
      }
      AddRow(value, std::move(row), at);
    }
  }

  void ReadCsv(const std::string& file, const std::string& from) {
    const std::filesystem::path path =
        std::filesystem::path(reader_.at().file).parent_path() / std::filesystem::path(file);
    std::string error;
    const std::string content = ReadWhole(path, &error);
    if (!error.empty()) {
      return reader_.Error("file", absl::StrCat("file: ", path.string(), " ", error));
    }
    std::string_view text = content;
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
    int line = 0;
    const std::size_t before = errors_.count();
    std::vector<std::string> names;
    while (!text.empty() && !full_) {
      const Location at{path.string(), line + 1, 1};
      const auto cells = NextLine(&text, &line);
      if (!cells) return errors_.Add(at, "a quoted cell has no end");
      if (cells->size() == 1 && cells->front().empty()) continue;
      if (names.empty()) {
        names = *cells;
        CheckColumns(names, from, at);
        continue;
      }
      if (cells->size() != names.size()) {
        errors_.Add(at, absl::StrCat(cells->size(), " cells: expected ", names.size(),
                                     ", as in the first line"));
        continue;
      }
      EnrichmentTable::Row row;
      for (std::size_t i = 1; i < names.size(); ++i) {
        const std::optional<FieldRef> field = FieldRef::Parse(names[i]);
        if (field && CanBeSet(*field)) AddCell(*field, names[i], (*cells)[i], at, &row);
      }
      AddRow(cells->front(), std::move(row), at);
    }
    if (table_.rows_.empty() && errors_.count() == before) {
      reader_.Error("file", absl::StrCat("file: ", path.string(), " has no rows"));
    }
  }

  // `from` is empty where it is not known what was meant.
  void CheckColumns(const std::vector<std::string>& names, const std::string& from,
                    const Location& at) {
    if (!from.empty() && names.front() != from) {
      errors_.Add(at, absl::StrCat("the first column is ", Quoted(names.front()), ": expected ",
                                   from, ", as `from` says"));
    }
    for (std::size_t i = 1; i < names.size(); ++i) {
      const std::optional<FieldRef> field = FieldRef::Parse(names[i]);
      if (!field || !CanBeSet(*field)) errors_.Add(at, absl::StrCat(Quoted(names[i]), kNoField));
    }
  }

  void AddCell(const FieldRef& field, const std::string& name, const std::string& text,
               const Location& at, EnrichmentTable::Row* row) {
    if (text.size() > limits::kLabelValueBytesMax) {
      errors_.Add(at, absl::StrCat(name, " has more than 1 KiB"));
    } else if (!text.empty()) {
      row->emplace_back(field, text);
    }
  }

  // The cell of a field that a row of the configuration itself names, at `at`.
  void AddNamedCell(const std::string& name, const std::string& text, const Location& at,
                    EnrichmentTable::Row* row) {
    const std::optional<FieldRef> field = FieldRef::Parse(name);
    if (!field || !CanBeSet(*field)) {
      errors_.Add(at, absl::StrCat(Quoted(name), kNoField));
    } else {
      AddCell(*field, name, text, at, row);
    }
  }

  void AddRow(const std::string& value, EnrichmentTable::Row row, const Location& at) {
    const std::size_t index = table_.rows_.size();
    if (full_) return;
    if (value.empty()) return errors_.Add(at, "a row for no value");
    if (index == kRowsMax) {
      full_ = true;
      return errors_.Add(at, "more than 100,000 rows");
    }
    const bool pattern = value.find('*') != value.npos;
    if (pattern) {
      table_.patterns_.emplace_back(value, index);
    } else if (!table_.whole_.emplace(value, index).second) {
      return errors_.Add(at, absl::StrCat(Quoted(value), " has a row already"));
    }
    table_.rows_.push_back(std::move(row));
  }

  ConfigReader reader_;
  ErrorList& errors_;
  EnrichmentTable table_;
  std::optional<FieldRef> to_field_;
  bool full_ = false;  // of rows; those after are not read
};

std::shared_ptr<const Enrichment> ReadEnrichment(const ConfigNode& list, ErrorList* errors) {
  auto enrichment = std::make_shared<Enrichment>();
  if (list.kind != ConfigNode::Kind::kList) {
    errors->Add(list.at, absl::StrCat("enrich is ", Found(list), ": expected a list of tables"));
    return enrichment;
  }
  for (const ConfigNode& node : list.list) {
    enrichment->push_back(EnrichmentReader(node, errors).Read());
  }
  return enrichment;
}

}  // namespace tocsin
