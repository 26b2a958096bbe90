#include "ingest/sources/file_listing.h"

#include <glob.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "ingest/sources/record_log.h"

namespace tocsin {
namespace {

namespace fs = std::filesystem;

// Larger or deeper folders are not listed completely.
constexpr std::size_t kFilesMax = 65'536;
constexpr int kDepthMax = 32;

bool IsHidden(const fs::path& path) { return path.filename().native().starts_with('.'); }

void ListFolder(const fs::path& folder, const fs::path& root, int depth, FoundFiles* found) {
  std::error_code error;
  fs::directory_iterator at(folder, error);
  // The files of a record log are not inputs of their own, but its subfolders may hold other logs.
  const bool is_log = depth > 0 && IsRecordLog(folder.string());
  for (const fs::directory_iterator end; !error && at != end; at.increment(error)) {
    std::error_code gone;  // Files that vanish and dangling links are not inputs.
    if (IsHidden(at->path())) continue;
    const std::string name = at->path().lexically_relative(root).string();
    if (at->is_directory(gone) && !at->is_symlink(gone)) {
      if (IsRecordLog(at->path().string())) found->files.push_back({at->path().string(), name});
      if (depth < kDepthMax) ListFolder(at->path(), root, depth + 1, found);
    } else if (!is_log && at->is_regular_file(gone)) {
      found->files.push_back({at->path().string(), name});
    }
    if (found->files.size() < kFilesMax) continue;
    found->faults.push_back(folder.string() + ": has more than 65536 files");
    return;
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    found->faults.push_back(folder.string() + ": cannot be listed: " + error.message());
  }
}

// The part before the first folder with a wildcard in its name.
fs::path FixedPart(const std::string& pattern) {
  fs::path fixed;
  for (const fs::path& part : fs::path(pattern).parent_path()) {
    if (part.string().find_first_of("*?[") != std::string::npos) break;
    fixed /= part;
  }
  return fixed;
}

// Reports whether the folder that a pattern begins in is missing or cannot be listed.
void LookAtFolder(const fs::path& folder, FoundFiles* found) {
  std::error_code error;
  const fs::directory_iterator listed(folder.empty() ? "." : folder, error);
  if (!error) return;
  if (error == std::errc::no_such_file_or_directory || error == std::errc::not_a_directory) {
    found->missing = folder.string() + ": " + error.message();
  } else {
    found->faults.push_back(folder.string() + ": cannot be listed: " + error.message());
  }
}

void ListPattern(const std::string& pattern, FoundFiles* found) {
  const fs::path fixed = FixedPart(pattern);
  LookAtFolder(fixed, found);
  glob_t matches = {};
  // Folders that cannot be listed have no match.
  const int result = glob(pattern.c_str(), GLOB_NOSORT, nullptr, &matches);
  for (std::size_t i = 0; result == 0 && i < std::min(matches.gl_pathc, kFilesMax); ++i) {
    const fs::path path = matches.gl_pathv[i];
    std::error_code gone;
    if (!fs::is_regular_file(path, gone)) continue;
    found->files.push_back({path.string(), path.lexically_relative(fixed).string()});
  }
  if (result == GLOB_NOSPACE) found->faults.push_back(pattern + ": matches too many files");
  globfree(&matches);
}

}  // namespace

FoundFiles FindFiles(const std::string& path) {
  FoundFiles found;
  std::error_code error;
  const fs::file_type type = fs::status(path, error).type();
  if (path == "-") {
    found.files.push_back({.path = "-", .name = "stdin"});
    found.is_single = true;
  } else if (type == fs::file_type::directory && IsRecordLog(path)) {
    const fs::path whole = fs::path(path) / "";
    found.files.push_back({.path = path, .name = whole.parent_path().filename().string()});
    found.is_single = true;
  } else if (type == fs::file_type::directory) {
    ListFolder(path, path, 0, &found);
  } else if (type == fs::file_type::not_found && path.find_first_of("*?[") != path.npos) {
    ListPattern(path, &found);
  } else {
    found.files.push_back({.path = path, .name = fs::path(path).filename().string()});
    found.is_single = true;
  }
  std::sort(found.files.begin(), found.files.end(),
            [](const FileInput& a, const FileInput& b) { return a.name < b.name; });
  return found;
}

absl::StatusOr<std::vector<FileInput>> ListFiles(const std::string& path) {
  FoundFiles found = FindFiles(path);
  if (found.is_single && path != "-") {
    std::error_code error;
    const fs::file_status facts = fs::status(path, error);
    if (facts.type() == fs::file_type::not_found) {
      return absl::NotFoundError(path + ": no such file or directory");
    }
    if (error) return absl::UnavailableError(path + ": " + error.message());
  }
  if (!found.missing.empty()) return absl::NotFoundError(found.missing);
  if (!found.faults.empty()) return absl::UnavailableError(found.faults.front());
  if (found.files.empty()) return absl::NotFoundError(path + ": has no files");
  return std::move(found.files);
}

}  // namespace tocsin
