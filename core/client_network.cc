#include "core/client_network.h"

#include <cstdint>
#include <optional>

#include "core/ascii.h"

namespace tocsin {
namespace {

constexpr std::size_t kGroups = 8;
// Longer than any address: "xxxx:xxxx:xxxx:xxxx:xxxx:xxxx:255.255.255.255%zone".
constexpr std::size_t kAddressBytesMax = 128;

struct Groups {
  std::array<std::uint16_t, kGroups> value{};
  std::string_view ipv4;  // behind the last colon, instead of two groups
};

// RFC 4291, 2.2.
std::optional<Groups> Parse(std::string_view text) {
  Groups groups;
  std::array<std::uint16_t, kGroups> read{};
  std::size_t count = 0, gap = kGroups + 1, at = 0;
  if (text.starts_with("::")) {
    gap = 0;
    at = 2;
  }
  while (at < text.size()) {
    std::uint32_t value = 0;
    const std::size_t begin = at;
    for (int digit = 0; at < text.size() && (digit = HexDigit(text[at])) >= 0; ++at) {
      value = value * 16 + static_cast<std::uint32_t>(digit);
      if (at - begin >= 4) return std::nullopt;
    }
    if (at < text.size() && text[at] == '.' && at > begin && count + 2 <= kGroups) {
      groups.ipv4 = text.substr(begin);
      count += 2;
      break;
    }
    if (at == begin || count == kGroups) return std::nullopt;
    read[count++] = static_cast<std::uint16_t>(value);
    if (at == text.size()) break;
    if (text[at++] != ':') return std::nullopt;
    if (at < text.size() && text[at] == ':') {
      if (gap <= kGroups) return std::nullopt;
      gap = count;
      ++at;
    } else if (at == text.size()) {
      return std::nullopt;
    }
  }
  if (gap > kGroups ? count != kGroups : count >= kGroups) return std::nullopt;
  const std::size_t zeros = kGroups - count;
  for (std::size_t i = 0; i < count; ++i) groups.value[i < gap ? i : i + zeros] = read[i];
  return groups;
}

}  // namespace

std::string_view ClientNetwork(std::string_view address,
                               std::array<char, kClientNetworkBytes>& scratch) {
  if (address.size() > kAddressBytesMax || address.find(':') == address.npos) return address;
  const std::optional<Groups> groups = Parse(address.substr(0, address.find('%')));
  if (!groups) return address;
  const std::array<std::uint16_t, kGroups>& value = groups->value;
  if (!groups->ipv4.empty()) {
    bool mapped = value[5] == 0xffff;
    for (std::size_t i = 0; i < 5; ++i) mapped = mapped && value[i] == 0;
    if (mapped) return groups->ipv4;
  }
  static constexpr std::string_view kDigits = "0123456789abcdef";
  char* out = scratch.data();
  for (std::size_t i = 0; i < kGroups / 2; ++i) {
    bool begun = false;
    for (int shift = 12; shift >= 0; shift -= 4) {
      const auto digit = static_cast<std::size_t>(value[i] >> shift & 0xf);
      begun = begun || digit != 0 || shift == 0;
      if (begun) *out++ = kDigits[digit];
    }
    if (i + 1 < kGroups / 2) *out++ = ':';
  }
  for (const char c : std::string_view("::/64")) *out++ = c;
  return {scratch.data(), static_cast<std::size_t>(out - scratch.data())};
}

std::string_view NetworkBlock(std::string_view network) {
  const std::size_t colon = network.find(':');
  if (colon == network.npos) return network.substr(0, network.find('.'));
  return network.substr(0, network.find(':', colon + 1));
}

}  // namespace tocsin
