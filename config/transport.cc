#include "config/transport.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "config/secret_file.h"
#include "core/string_hash.h"

namespace tocsin {
namespace {

constexpr std::size_t kUrlBytesMax = 2048;
constexpr std::size_t kSecretLineBytesMax = 4096;
constexpr std::size_t kCaBytesMax = 1 << 20;  // to look for a first certificate

std::string ReadCaFile(ConfigReader* reader) {
  const std::string path = reader->String("ca_file");
  if (path.empty()) return path;
  std::string error;
  const std::optional<std::string> content = ReadFileText(path, kCaBytesMax, &error);
  if (!content) {
    reader->Secret("ca_file", absl::StrCat("ca_file: cannot read '", path, "': ", error));
  } else if (content->find("-----BEGIN CERTIFICATE-----") == std::string::npos) {
    reader->Secret("ca_file", absl::StrCat("ca_file: '", path, "' holds no certificate in PEM"));
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

}  // namespace

TransportConfig ReadTransport(ConfigReader* reader) {
  return {.ca_file = ReadCaFile(reader), .proxy = ReadProxy(reader)};
}

std::string ReadSecretPath(std::string_view key, ConfigReader* reader) {
  if (!reader->Has(key)) return reader->String(key);
  const std::string path = reader->RequiredString(key);
  if (path.empty()) return path;
  std::string error;
  const std::optional<std::string> text = ReadFileText(path, kSecretLineBytesMax, &error);
  if (!text) {
    reader->Secret(key, absl::StrCat(ToAbsl(key), ": cannot read '", path, "': ", error));
  } else if (absl::StripAsciiWhitespace(text->substr(0, text->find('\n'))).empty()) {
    reader->Secret(key, absl::StrCat(ToAbsl(key), ": the first line of '", path, "' is empty"));
  }
  return path;
}

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

}  // namespace tocsin
