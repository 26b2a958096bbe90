#include "sinks/stanza.h"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "config/transport.h"

namespace tocsin {
namespace {

constexpr std::size_t kSecretBytesMax = 4096;

// Secrets end up in headers and JSON: printable ASCII only, which also catches a file of another
// kind.
bool IsSecret(const std::string& text) {
  return !text.empty() && text.size() <= kSecretBytesMax &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7F; });
}

}  // namespace

std::string ReadSecret(const std::string& key, const std::string& what, bool optional,
                       ConfigReader* reader) {
  const std::string file_key = key + "_file";
  const std::string env_key = key + "_env";
  const std::string file = reader->String(file_key);
  const std::string variable = reader->String(env_key);
  if (reader->Node(key) != nullptr) {
    reader->Error(key, absl::StrCat(key,
                                    " must not stand in the configuration: put it into a file and "
                                    "name that with ",
                                    file_key, ", or into an environment variable with ", env_key));
    return "";
  }
  if (reader->Has(file_key) == reader->Has(env_key)) {
    const std::string either = absl::StrCat(file_key, " or ", env_key, ": where to find ", what);
    if (reader->Has(file_key)) {
      reader->Error(file_key, absl::StrCat("expected only one of ", either));
    } else if (!optional) {
      reader->Missing(key, absl::StrCat("expected ", either));
    }
    return "";
  }
  if (!reader->Sound(file_key) || !reader->Sound(env_key)) return "";
  const std::string& used = file.empty() ? env_key : file_key;
  const std::string fix =
      absl::StrCat("; it must hold ", what, ", or use ", file.empty() ? file_key : env_key);
  std::string text;
  if (!file.empty()) {
    std::string error;
    const std::optional<std::string> content = ReadFileText(file, kSecretBytesMax, &error);
    if (!content) {
      reader->Secret(used, absl::StrCat(used, ": cannot read '", file, "': ", error, fix));
      return "";
    }
    text = *content;
  } else {
    // Nothing sets variables while the configuration loads. NOLINTNEXTLINE(concurrency-mt-unsafe)
    const char* value = std::getenv(variable.c_str());
    if (value == nullptr) {
      reader->Secret(
          used, absl::StrCat(used, ": the environment variable '", variable, "' is not set", fix));
      return "";
    }
    text = value;
  }
  absl::StripAsciiWhitespace(&text);
  if (!IsSecret(text)) {
    reader->Secret(used, absl::StrCat(used, ": '", file.empty() ? variable : file,
                                      "' is empty, too long, or holds more than one word", fix));
    return "";
  }
  return text;
}

std::string ReadUrl(const std::string& fallback, ConfigReader* reader) {
  const std::string url =
      fallback.empty() ? reader->RequiredString("url") : reader->String("url", fallback);
  if (url.empty() || IsHttpUrl(url)) return url;
  // The text itself may hold a token.
  reader->Error("url", "url is no http:// or https:// address with a host");
  return "";
}

DurationUs ReadTimeout(ConfigReader* reader) {
  // The lease of an instance must outlast a request (design: deliver), hence no more than a minute.
  return reader->Duration("timeout", 10 * kSecondUs, 100 * kMillisecondUs, kMinuteUs);
}

}  // namespace tocsin
