#include "ingest/sources/rotation.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <optional>
#include <system_error>
#include <utility>

#include "ingest/sources/file_listing.h"

namespace tocsin {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kReadable[] = {".gz", ".zst"};
constexpr std::string_view kUnreadable[] = {".bz2", ".xz", ".lz4", ".Z", ".zip"};
constexpr std::string_view kSeparators = ".-_";
constexpr std::size_t kNumberDigitsMax = 4;
// Folders with more names are not read to the end.
constexpr std::size_t kNamesMax = 65'536;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

bool IsDay(std::uint64_t year, std::uint64_t month, std::uint64_t day) {
  return year >= 1970 && year < 2300 && month >= 1 && month <= 12 && day <= 31;
}

// The numbers in a string of digits and date separators; nullopt if it contains anything else.
std::optional<std::vector<std::uint64_t>> Numbers(std::string_view text) {
  std::vector<std::uint64_t> numbers;
  while (!text.empty()) {
    if (!IsDigit(text[0])) {
      if (std::string_view("-_.:TZ+").find(text[0]) == text.npos) return std::nullopt;
      text.remove_prefix(1);
      continue;
    }
    std::uint64_t number = 0;
    const auto result = std::from_chars(text.data(), text.data() + text.size(), number);
    if (result.ec != std::errc()) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(result.ptr - text.data()));
    numbers.push_back(number);
  }
  return numbers;
}

// "-20260301", ".2026-03-01", "-2026-03-01T10-00-00.000", ".1772323200".
bool TakeDate(std::string_view suffix, RotatedName* name) {
  if (suffix.size() < 2 || !IsDigit(suffix[1])) return false;
  const std::optional<std::vector<std::uint64_t>> numbers = Numbers(suffix.substr(1));
  if (!numbers) return false;
  const std::vector<std::uint64_t>& n = *numbers;
  const bool is_day = n[0] >= 19'700'101 && n[0] <= 22'991'231 &&
                      IsDay(n[0] / 10'000, n[0] / 100 % 100, n[0] % 100);
  const bool is_epoch = n.size() == 1 && n[0] >= 1'000'000'000 && n[0] <= 9'999'999'999;
  const bool is_split = n.size() >= 2 && IsDay(n[0], n[1], n.size() > 2 ? n[2] : 1);
  name->dated = true;
  name->digits = n;
  return is_day || is_epoch || is_split;
}

// ".3", ".old".
bool TakeNumber(std::string_view suffix, RotatedName* name) {
  name->dated = false;
  if (suffix == ".old") {
    name->digits = {1};
    return true;
  }
  if (suffix.size() < 2 || suffix.size() > 1 + kNumberDigitsMax || suffix[0] != '.') return false;
  if (!std::all_of(suffix.begin() + 1, suffix.end(), IsDigit)) return false;
  name->digits = *Numbers(suffix.substr(1));
  return true;
}

RotatedName TakeCompression(std::string_view* name) {
  RotatedName rotated;
  const auto take = [&](std::string_view extension, bool readable) {
    if (rotated.compressed || !name->ends_with(extension)) return;
    name->remove_suffix(extension.size());
    rotated.compressed = true;
    rotated.readable = readable;
  };
  for (const std::string_view extension : kReadable) take(extension, true);
  for (const std::string_view extension : kUnreadable) take(extension, false);
  return rotated;
}

}  // namespace

bool RotatedName::IsBefore(const RotatedName& other) const {
  // A log with both kinds changed its rotation scheme once; numbers are assumed to be the newer
  // one.
  if (dated != other.dated) return dated;
  return dated ? digits < other.digits : digits > other.digits;
}

std::vector<RotatedName> RotationsOf(std::string_view name) {
  std::vector<RotatedName> found;
  RotatedName rotated = TakeCompression(&name);
  for (std::size_t at = 1; at < name.size(); ++at) {
    if (kSeparators.find(name[at]) == kSeparators.npos) continue;
    if (!TakeNumber(name.substr(at), &rotated) && !TakeDate(name.substr(at), &rotated)) continue;
    rotated.base = std::string(name.substr(0, at));
    found.push_back(rotated);
  }
  const std::size_t dot = name.rfind('.');
  if (dot == name.npos || dot == 0) return found;
  for (std::size_t at = 1; at < dot; ++at) {
    if (kSeparators.find(name[at]) == kSeparators.npos) continue;
    if (!TakeDate(name.substr(at, dot - at), &rotated)) continue;
    rotated.base = std::string(name.substr(0, at)) + std::string(name.substr(dot));
    found.push_back(rotated);
  }
  return found;
}

std::vector<LogFiles> GroupRotations(const std::vector<FileInput>& files,
                                     const std::vector<FileInput>& logs) {
  // By path, because two folders may hold files of the same name.
  std::map<std::string, const FileInput*> known;
  for (const FileInput& file : logs) known.emplace(file.path, &file);
  for (const FileInput& file : files) known.emplace(file.path, &file);
  struct Part {
    RotatedName name;
    std::string path;
  };
  std::map<std::string, std::vector<Part>> parts;  // by the path of their log
  std::vector<LogFiles> grouped;
  for (const FileInput& file : files) {
    const fs::path path(file.path);
    bool is_part = false;
    for (RotatedName& rotated : RotationsOf(path.filename().string())) {
      const std::string base = (path.parent_path() / rotated.base).string();
      if (!known.contains(base) || base == file.path) continue;
      if (rotated.readable) parts[base].push_back({std::move(rotated), file.path});
      is_part = true;
      break;
    }
    if (!is_part) grouped.push_back({.path = file.path, .name = file.name, .older = {}});
  }
  // Logs whose own file does not exist at the moment.
  for (const FileInput& log : logs) {
    const bool is_there = std::any_of(grouped.begin(), grouped.end(), [&](const LogFiles& other) {
      return other.path == log.path;
    });
    if (!is_there && parts.contains(log.path)) grouped.push_back({log.path, log.name, {}});
  }
  for (LogFiles& log : grouped) {
    const auto found = parts.find(log.path);
    if (found == parts.end()) continue;
    std::vector<Part>& of = found->second;
    std::stable_sort(of.begin(), of.end(), [](const Part& a, const Part& b) {
      if (a.name.IsSamePart(b.name)) return !a.name.compressed && b.name.compressed;
      return a.name.IsBefore(b.name);
    });
    for (std::size_t i = 0; i < of.size(); ++i) {
      if (i > 0 && of[i].name.IsSamePart(of[i - 1].name)) continue;
      log.older.push_back(of[i].path);
    }
  }
  return grouped;
}

std::vector<std::string> RotatedFrom(const std::string& path) {
  const fs::path log(path);
  const fs::path folder = log.has_parent_path() ? log.parent_path() : fs::path(".");
  std::vector<FileInput> files = {{.path = path, .name = log.filename().string()}};
  std::error_code error;
  fs::directory_iterator at(folder, error);
  for (const fs::directory_iterator end; !error && at != end && files.size() < kNamesMax;
       at.increment(error)) {
    const std::string name = at->path().filename().string();
    bool is_ours = false;
    for (const RotatedName& rotated : RotationsOf(name)) {
      is_ours = is_ours || rotated.base == files.front().name;
    }
    if (!is_ours) continue;
    files.push_back({.path = log.has_parent_path() ? at->path().string() : name, .name = name});
  }
  for (LogFiles& group : GroupRotations(files)) {
    if (group.path == path) return std::move(group.older);
  }
  return {};
}

}  // namespace tocsin
