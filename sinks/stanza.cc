#include "sinks/stanza.h"

#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "config/secret.h"
#include "config/transport.h"

namespace tocsin {
std::string ReadSecret(const std::string& key, const std::string& what, bool optional,
                       ConfigReader* reader) {
  const std::string file_key = key + "_file";
  const std::string env_key = key + "_env";
  const std::string file = reader->String(file_key);
  const std::string variable = reader->String(env_key);
  if (reader->Node(key) != nullptr) {
    reader->Error(key,
                  absl::StrCat(key,
                               " must not be written in the configuration: put it into a file and "
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
  absl::StatusOr<std::string> text = SecretSource{.file = file, .variable = variable}.Read();
  if (text.ok()) return *std::move(text);
  reader->Secret(used, absl::StrCat(used, ": ", text.status().message(), fix));
  return "";
}

std::string ReadUrl(const std::string& fallback, ConfigReader* reader) {
  const std::string url =
      fallback.empty() ? reader->RequiredString("url") : reader->String("url", fallback);
  if (url.empty() || IsHttpUrl(url)) return url;
  // The message leaves out the URL, which may contain a token.
  reader->Error("url", "url: expected an http:// or https:// URL with a host");
  return "";
}

DurationUs ReadTimeout(ConfigReader* reader) {
  // At most a minute, since the lease of an instance must outlast a request (sinks/lease.h).
  return reader->Duration("timeout", 10 * kSecondUs, 100 * kMillisecondUs, kMinuteUs);
}

}  // namespace tocsin
