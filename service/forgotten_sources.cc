#include "service/forgotten_sources.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <system_error>
#include <utility>

namespace tocsin {
namespace {

namespace fs = std::filesystem;

bool IsSegment(const fs::path& path) {
  return path.filename().string().find(".tlog") != std::string::npos;
}

// When the file was last modified; kNoTime if that is not known.
TimeUs ChangedAt(const fs::path& path) {
  struct stat about = {};
  if (lstat(path.c_str(), &about) != 0 || !S_ISREG(about.st_mode)) return kNoTime;
  return about.st_mtim.tv_sec * kSecondUs + about.st_mtim.tv_nsec / 1'000;
}

bool Contains(const std::vector<std::string>& list, const std::string& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

class Remover {
 public:
  explicit Remover(const ForgottenSources& options) : options_(options) {}

  // Removes the logs below `folder` whose own folder, relative to it, is not kept.
  void RemoveLogs(const fs::path& folder, const std::function<bool(const std::string&)>& is_kept) {
    for (const auto& [log, files] : LogsBelow(folder)) {
      if (is_kept(log.lexically_relative(folder).string())) continue;
      const auto is_old = [this](const fs::path& file) { return IsOld(file); };
      if (!std::all_of(files.begin(), files.end(), is_old)) continue;
      for (const fs::path& file : files) unlink(file.c_str());
      // Also remove parent folders that are empty now.
      for (fs::path empty = log; empty != folder && rmdir(empty.c_str()) == 0;) {
        empty = empty.parent_path();
      }
      std::error_code error;
      if (!fs::exists(log, error)) removed_.push_back(log.string());
    }
  }

  void RemoveSeen(const fs::path& folder) {
    std::error_code error;
    std::vector<fs::path> gone;
    for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
      const fs::path& path = at->path();
      if (path.extension() != ".seen") continue;
      if (!Contains(options_.http_inputs, path.stem().string()) && IsOld(path)) {
        gone.push_back(path);
      }
    }
    for (const fs::path& path : gone) {
      if (unlink(path.c_str()) == 0) removed_.push_back(path.string());
    }
  }

  std::vector<std::string> Take() { return std::move(removed_); }

 private:
  bool IsOld(const fs::path& path) const {
    const TimeUs changed = ChangedAt(path);
    return changed != kNoTime && changed < options_.changed_before;
  }

  static std::map<fs::path, std::vector<fs::path>> LogsBelow(const fs::path& folder) {
    std::map<fs::path, std::vector<fs::path>> logs;
    std::error_code error;
    for (fs::recursive_directory_iterator at(folder, error), end; !error && at != end;
         at.increment(error)) {
      if (IsSegment(at->path())) logs[at->path().parent_path()].push_back(at->path());
    }
    return logs;
  }

  const ForgottenSources& options_;
  std::vector<std::string> removed_;
};

}  // namespace

std::vector<std::string> RemoveForgotten(const ForgottenSources& options) {
  Remover remover(options);
  const auto is_known = [&](const std::string& source) {
    return Contains(options.present, source) || options.has_position(source);
  };
  remover.RemoveLogs(fs::path(options.state_dir) / "files", is_known);
  const fs::path http = fs::path(options.state_dir) / "http";
  remover.RemoveLogs(http, [&](const std::string& name) {
    return Contains(options.http_inputs, name) || is_known(name + "/" + name);
  });
  remover.RemoveSeen(http);
  return remover.Take();
}

}  // namespace tocsin
