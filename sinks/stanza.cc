#include "sinks/stanza.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace tocsin {
namespace {

constexpr std::size_t kSecretBytesMax = 4096;
constexpr std::size_t kUrlBytesMax = 2048;
constexpr std::size_t kCaBytesMax = 1 << 20;  // to look for a first certificate

struct FileCloser {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

// At most about so many bytes of it.
std::optional<std::string> ReadFile(const std::string& path, std::size_t bytes_max,
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
  if (file.empty() == variable.empty()) {
    if (file.empty() && optional) return "";
    reader->Error(file.empty() ? key : file_key,
                  absl::StrCat(file.empty() ? "expected" : "expected only one of", " ", file_key,
                               " or ", env_key, ": where to find ", what));
    return "";
  }
  const std::string& used = file.empty() ? env_key : file_key;
  const std::string fix =
      absl::StrCat("; it must hold ", what, ", or use ", file.empty() ? file_key : env_key);
  std::string text;
  if (!file.empty()) {
    std::string error;
    const std::optional<std::string> content = ReadFile(file, kSecretBytesMax, &error);
    if (!content) {
      reader->Error(used, absl::StrCat(used, ": cannot read '", file, "': ", error, fix));
      return "";
    }
    text = *content;
  } else {
    // Nothing sets variables while the configuration loads. NOLINTNEXTLINE(concurrency-mt-unsafe)
    const char* value = std::getenv(variable.c_str());
    if (value == nullptr) {
      reader->Error(
          used, absl::StrCat(used, ": the environment variable '", variable, "' is not set", fix));
      return "";
    }
    text = value;
  }
  absl::StripAsciiWhitespace(&text);
  if (!IsSecret(text)) {
    reader->Error(used, absl::StrCat(used, ": '", file.empty() ? variable : file,
                                     "' is empty, too long, or holds more than one word", fix));
    return "";
  }
  return text;
}

namespace {

bool IsHttpUrl(const std::string& url) {
  const std::size_t scheme = absl::StartsWithIgnoreCase(url, "https://")  ? 8
                             : absl::StartsWithIgnoreCase(url, "http://") ? 7
                                                                          : 0;
  const bool printable =
      std::all_of(url.begin(), url.end(), [](char c) { return c > 0x20 && c < 0x7F; });
  const bool host =
      url.size() > scheme && absl::ascii_isalnum(static_cast<unsigned char>(url[scheme])) != 0;
  const bool bracket = url.size() > scheme && url[scheme] == '[';  // IPv6
  return scheme != 0 && printable && (host || bracket) && url.size() <= kUrlBytesMax;
}

}  // namespace

std::string ReadUrl(const std::string& fallback, ConfigReader* reader) {
  const std::string url =
      fallback.empty() ? reader->RequiredString("url") : reader->String("url", fallback);
  if (url.empty() || IsHttpUrl(url)) return url;
  // The text itself may hold a token.
  reader->Error("url", "url is no http:// or https:// address with a host");
  return "";
}

std::string ReadCaFile(ConfigReader* reader) {
  const std::string path = reader->String("ca_file");
  if (path.empty()) return path;
  std::string error;
  const std::optional<std::string> content = ReadFile(path, kCaBytesMax, &error);
  if (!content) {
    reader->Error("ca_file", absl::StrCat("ca_file: cannot read '", path, "': ", error));
  } else if (content->find("-----BEGIN CERTIFICATE-----") == std::string::npos) {
    reader->Error("ca_file", absl::StrCat("ca_file: '", path, "' holds no certificate in PEM"));
  }
  return path;
}

std::string ReadProxy(ConfigReader* reader) {
  const std::string proxy = reader->String("proxy");
  if (proxy.empty()) return proxy;
  if (!IsHttpUrl(proxy) || proxy.find('@') != std::string::npos) {
    reader->Error(
        "proxy",
        "proxy: expected http://HOST:PORT or https://HOST:PORT; one that wants a password "
        "is named with it in the environment variable https_proxy");
    return "";
  }
  return proxy;
}

DurationUs ReadTimeout(ConfigReader* reader) {
  // The lease of an instance must outlast a request (design: deliver), hence no more than a minute.
  return reader->Duration("timeout", 10 * kSecondUs, 100 * kMillisecondUs, kMinuteUs);
}

}  // namespace tocsin
