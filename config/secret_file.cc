#include "config/secret_file.h"

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <memory>
#include <system_error>

#include "absl/strings/ascii.h"
#include "core/status_macros.h"

namespace tocsin {
namespace {

// Old and new ones while they are rotated.
constexpr std::size_t kSecretsMax = 16;

struct FileCloser {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

}  // namespace

std::optional<std::string> ReadFileText(const std::string& path, std::size_t bytes_max,
                                        std::string* error) {
  const std::unique_ptr<std::FILE, FileCloser> file(std::fopen(path.c_str(), "re"));
  std::string text(bytes_max + 1, '\0');
  std::size_t size = 0;
  if (file != nullptr) size = std::fread(text.data(), 1, text.size(), file.get());
  if (file == nullptr || std::ferror(file.get()) != 0) {
    *error = std::generic_category().message(errno);  // a directory opens, but cannot be read
    return std::nullopt;
  }
  text.resize(size);
  return text;
}

absl::StatusOr<std::string> ReadToken(const std::string& path) {
  TOCSIN_ASSIGN_OR_RETURN(const std::vector<std::string> lines, ReadSecrets(path));
  return lines.empty() ? "" : lines[0];
}

absl::StatusOr<std::vector<std::string>> ReadSecrets(const std::string& path) {
  std::vector<std::string> secrets;
  if (path.empty()) return secrets;
  std::ifstream file(path);
  std::string line;
  while (secrets.size() < kSecretsMax && std::getline(file, line)) {
    absl::StripTrailingAsciiWhitespace(&line);
    if (line.empty()) break;
    secrets.push_back(line);
  }
  if (!secrets.empty()) return secrets;
  return absl::InvalidArgumentError("the file " + path +
                                    " cannot be read, or its first line is empty");
}

}  // namespace tocsin
