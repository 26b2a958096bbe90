#include "config/secret.h"

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "config/secret_file.h"

namespace tocsin {
namespace {

constexpr std::size_t kSecretBytesMax = 4'096;

}  // namespace

absl::StatusOr<std::string> SecretSource::Read() const {
  std::string text;
  if (!file.empty()) {
    std::string error;
    const std::optional<std::string> content = ReadFileText(file, kSecretBytesMax, &error);
    if (!content) return absl::NotFoundError(absl::StrCat("cannot read '", file, "': ", error));
    text = *content;
  } else {
    // Nothing sets variables after the start. NOLINTNEXTLINE(concurrency-mt-unsafe)
    const char* value = std::getenv(variable.c_str());
    if (value == nullptr) {
      return absl::NotFoundError(
          absl::StrCat("the environment variable '", variable, "' is not set"));
    }
    text = value;
  }
  absl::StripAsciiWhitespace(&text);
  const bool is_word =
      !text.empty() && text.size() <= kSecretBytesMax &&
      std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7F; });
  if (is_word) return text;
  return absl::NotFoundError(absl::StrCat("'", file.empty() ? variable : file,
                                          "' is empty, too long, or holds more than one word"));
}

SecretSource ReadSecretSource(const std::string& key, ConfigReader* reader) {
  const std::string file_key = key + "_file";
  const std::string env_key = key + "_env";
  SecretSource source = {.file = reader->String(file_key), .variable = reader->String(env_key)};
  if (reader->Node(key) != nullptr) {
    reader->Error(key,
                  absl::StrCat(key,
                               " must not be written in the configuration: put it into a file and "
                               "name that with ",
                               file_key, ", or into an environment variable with ", env_key));
  }
  if (!source.file.empty() && !source.variable.empty()) {
    reader->Error(file_key, absl::StrCat("expected only one of ", file_key, " and ", env_key));
  }
  return source;
}

}  // namespace tocsin
