#include "tests/golden/storm_world.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <iterator>
#include <map>
#include <numeric>

#include "core/math.h"

namespace tocsin {
namespace {

std::uint64_t Mixed(std::uint64_t z) {
  z += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

template <typename... Args>
std::string Text(const char* format, Args... args) {
  std::array<char, 160> text;
  const int size = std::snprintf(text.data(), text.size(), format, args...);
  return {text.data(), static_cast<std::size_t>(size)};
}

constexpr std::array<const char*, 8> kPlatforms = {
    "Android 14", "iOS 17.3", "Web", "Windows", "macOS", "Android 13", "iPadOS 17.1", "Linux"};
constexpr std::array<const char*, 6> kSystems = {
    "Windows NT 10.0; Win64; x64", "Macintosh; Intel Mac OS X 10_15_7", "X11; Linux x86_64",
    "Linux; Android 14; SM-S911B", "Linux; Android 13; Pixel 7",        "Windows NT 6.1; WOW64"};
constexpr std::array<const char*, 10> kLibraries = {"okhttp/4.%d.0",
                                                    "python-requests/2.%d.0",
                                                    "Go-http-client/%d.1",
                                                    "axios/1.%d.2",
                                                    "curl/7.%d.1",
                                                    "acme-sdk-java/3.%d.0",
                                                    "acme-sdk-go/1.%d.4",
                                                    "aiohttp/3.%d.1",
                                                    "Apache-HttpClient/4.%d.14",
                                                    "node-fetch/1.%d"};

}  // namespace

std::vector<Family> Families(bool held_out) {
  std::vector<Family> families;
  for (int a = 0; a < kAddressKinds; ++a) {
    for (int b = 0; b < kAgentKinds; ++b) {
      const Family family = {static_cast<Addresses>(a), static_cast<Agents>(b)};
      if (family.held_out() == held_out) families.push_back(family);
    }
  }
  return families;
}

std::string FamilyName(const Family& family) {
  static constexpr std::array<const char*, kAddressKinds> kAddressNames = {
      "anywhere", "country", "privacy", "nat", "proxy", "dynamic", "both", "office"};
  static constexpr std::array<const char*, kAgentKinds> kAgentNames = {"few", "browsers", "sdks",
                                                                       "versions", "one"};
  return std::string(kAddressNames[static_cast<std::size_t>(family.addresses)]) + "/" +
         kAgentNames[static_cast<std::size_t>(family.agents)];
}

double LogUniform(Random* random, double low, double high) {
  return low * Exp(random->Uniform() * Log(high / low));
}

double Uniform(Random* random, double low, double high) {
  return low + (high - low) * random->Uniform();
}

std::size_t Pick(Random* random, const std::vector<double>& weights) {
  double left = random->Uniform();
  std::size_t at = 0;
  while (at + 1 < weights.size() && left >= weights[at]) left -= weights[at++];
  return at;
}

StormWorld::StormWorld(Family family, std::uint64_t seed) : family_(family), seed_(Mixed(seed)) {
  Random random(seed_);
  requests_ = random.Chance(0.4);
  // From two a minute, where a service is young, to six a second; more would only take longer.
  per_pane_ = LogUniform(&random, 0.35, 60);
  // A socket is opened once or a few times, a page takes tens of requests.
  visit_events_ = requests_ ? LogUniform(&random, 1, 20) : LogUniform(&random, 1, 2.5);
  // A population is not tied to the traffic: a few power users, or many who come once a week.
  population_ = static_cast<std::int64_t>(LogUniform(&random, 60, 40'000));
  if (family_.addresses == Addresses::kOffice) population_ = 15 + random.Below(70);
  // From a private service to a shop.
  newcomers_ = random.Chance(0.4) ? Uniform(&random, 0, 0.02) : Uniform(&random, 0.02, 0.35);
  // 1: all alike; 3: a tenth make half of it.
  skew_ = Uniform(&random, 1, 3);
  // Half an hour is what the detectors ask for; six hours are a good part of a day.
  quiet_panes_ = static_cast<int>(LogUniform(&random, 6 * 36, 6 * 360));
  quiet_panes_ = std::max(6 * 36, std::min(quiet_panes_, static_cast<int>(25'000 / per_pane_)));
  // Of whom hardly anybody ever came nothing is usual.
  per_pane_ = std::max(per_pane_, 80 * visit_events_ / quiet_panes_);

  const auto blocks = static_cast<std::size_t>(LogUniform(&random, 1, 14));
  const auto networks = static_cast<std::size_t>(LogUniform(&random, 1, 60));
  std::vector<std::uint64_t> octets;
  for (std::size_t i = 0; i < blocks; ++i) octets.push_back(1 + random.Next() % 222);
  for (std::size_t i = 0; i < std::max(blocks, networks); ++i) {
    networks_.push_back(
        static_cast<std::uint16_t>(octets[i % blocks] << 8 | (random.Next() & 0xff)));
  }
  switch (family_.addresses) {
    case Addresses::kNat:
      pool_ = static_cast<std::uint32_t>(LogUniform(&random, 2, 200));
      behind_ = Uniform(&random, 0.2, 0.9);
      break;
    case Addresses::kProxy:
      pool_ = 1 + static_cast<std::uint32_t>(random.Below(8));
      break;
    case Addresses::kDynamic:
      pool_ = static_cast<std::uint32_t>(LogUniform(&random, 1'000, 60'000));
      break;
    default:
      break;
  }
  DrawAgents(&random);
  const int paths = 3 + static_cast<int>(random.Below(25));
  for (int i = 0; i < paths; ++i) paths_.push_back(Text("/api/v1/part-%d", i));
  // Users are in all events behind a login, in none of a log of a web server.
  const double kind = random.Uniform();
  named_ = kind < 0.3 ? 0 : kind < 0.6 ? Uniform(&random, 0.35, 0.95) : 1;
  agent_missing_ = random.Chance(0.7) ? 0 : Uniform(&random, 0.02, 0.4);
  address_missing_ = random.Chance(0.8) ? 0 : Uniform(&random, 0.02, 0.3);
}

void StormWorld::DrawAgents(Random* random) {
  const auto version = [&](int most) { return static_cast<int>(random->Below(most)); };
  std::vector<double> weights;
  const auto add = [&](std::string agent, double weight) {
    if (std::find(agents_.begin(), agents_.end(), agent) != agents_.end()) return;
    agents_.push_back(std::move(agent));
    weights.push_back(weight);
  };
  switch (family_.agents) {
    case Agents::kFew:
      for (std::int64_t i = 2 + random->Below(5); i > 0; --i) {
        add(Text("ChatApp/%d.%d (%s)", 2 + version(7), version(10),
                 kPlatforms[static_cast<std::size_t>(i)]),
            LogUniform(random, 0.05, 1));
      }
      break;
    case Agents::kBrowsers:
      for (std::int64_t i = 12 + random->Below(40); i > 0; --i) {
        const char* const system =
            kSystems[static_cast<std::size_t>(random->Below(std::ssize(kSystems)))];
        add(random->Chance(0.7)
                ? Text("Mozilla/5.0 (%s) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.0.0 "
                       "Safari/537.36",
                       system, 100 + version(24))
                : Text("Mozilla/5.0 (%s; rv:%d.0) Gecko/20100101 Firefox/%d.0", system, 115,
                       100 + version(24)),
            LogUniform(random, 0.02, 1));
      }
      break;
    case Agents::kSdks:
      for (std::int64_t i = 3 + random->Below(7); i > 0; --i) {
        add(Text(kLibraries[static_cast<std::size_t>(random->Below(std::ssize(kLibraries)))],
                 version(30)),
            LogUniform(random, 0.05, 1));
      }
      break;
    case Agents::kVersions:
      for (std::int64_t i = 10 + random->Below(40); i > 0; --i) {
        const bool second = random->Chance(0.3);
        add(Text(second ? "ShopLite/%d.%d.%d" : "Shop/%d.%d.%d (iPhone)", 1 + version(6),
                 version(12), version(5)),
            LogUniform(random, 0.01, 1));
      }
      break;
    case Agents::kOne:
      add(Text("DeviceAgent/%d.%d", 1 + version(4), version(9)), 1);
      break;
  }
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  for (double& weight : weights) weight /= sum;
  agent_shares_ = std::move(weights);
}

std::uint64_t StormWorld::HashOf(std::int64_t client, std::uint64_t purpose) const {
  return Mixed(seed_ ^ Mixed(static_cast<std::uint64_t>(client) * 8 + purpose));
}

std::size_t StormWorld::AgentOf(std::int64_t client) const {
  Random random(HashOf(client, 1));
  return Pick(&random, agent_shares_);
}

std::string StormWorld::FamilyOf(const std::string& agent) {
  std::string family;
  for (const char c : agent) {
    if ((c < '0' || c > '9') && c != '.' && c != '_') family += c;
  }
  return family;
}

double StormWorld::MixDistance(const std::vector<std::string>& agents) const {
  std::map<std::string, double> beyond;
  for (const std::string& agent : agents) {
    beyond[FamilyOf(agent)] += 1 / static_cast<double>(agents.size());
  }
  for (std::size_t i = 0; i < agents_.size(); ++i) {
    const auto found = beyond.find(FamilyOf(agents_[i]));
    if (found != beyond.end()) found->second -= agent_shares_[i];
  }
  double distance = 0;
  for (const auto& [family, share] : beyond) distance += std::max(0.0, share);
  return distance;
}

std::int64_t StormWorld::Regular(Random* random) const {
  return static_cast<std::int64_t>(static_cast<double>(population_) *
                                   Pow(std::max(1e-12, random->Uniform()), skew_));
}

std::int64_t StormWorld::Newcomer(Random* random) const {
  return population_ + static_cast<std::int64_t>(random->Next() >> 20);
}

std::string StormWorld::CountryAddress(std::uint64_t hash) const {
  const std::uint16_t network = networks_[hash % networks_.size()];
  const auto host = static_cast<unsigned>(hash >> 32 & 0xffff);
  return Text("%u.%u.%u.%u", network >> 8u, network & 0xffu, host >> 8u, host & 0xffu);
}

std::string StormWorld::AddressOf(std::int64_t client, Random* random) const {
  const std::uint64_t hash = HashOf(client, 2);
  const auto privacy = [&] {
    // Providers have few prefixes, and large ones.
    const std::uint16_t network = networks_[hash % std::min<std::size_t>(24, networks_.size())];
    return Text("2%03x:%x:%x:%x:%llx:%llx:%llx:%llx", network >> 8u, network & 0xffu,
                static_cast<unsigned>(hash >> 24 & 0xffff),
                static_cast<unsigned>(hash >> 44 & 0xffff),
                static_cast<unsigned long long>(random->Next() & 0xffff),
                static_cast<unsigned long long>(random->Next() & 0xffff),
                static_cast<unsigned long long>(random->Next() & 0xffff),
                static_cast<unsigned long long>(random->Next() & 0xffff));
  };
  switch (family_.addresses) {
    case Addresses::kAnywhere:
      return Text("%u.%u.%u.%u", 1 + static_cast<unsigned>(hash % 222),
                  static_cast<unsigned>(hash >> 16 & 0xff),
                  static_cast<unsigned>(hash >> 24 & 0xff),
                  static_cast<unsigned>(hash >> 32 & 0xff));
    case Addresses::kCountry:
      return CountryAddress(hash);
    case Addresses::kPrivacy:
      return privacy();
    case Addresses::kNat:
      if (static_cast<double>(hash % 1000) < 1000 * behind_) {
        // A few carriers have most.
        const double rank = Pow(static_cast<double>(hash >> 40 & 0xfff) / 4096, 2);
        return CountryAddress(HashOf(static_cast<std::int64_t>(rank * pool_), 3));
      }
      return CountryAddress(hash);
    case Addresses::kProxy:
      return Text("10.0.0.%u", 1 + static_cast<unsigned>(random->Next() % pool_));
    case Addresses::kDynamic:
      return CountryAddress(HashOf(random->Below(static_cast<std::int64_t>(pool_)), 4));
    case Addresses::kBoth:
      return hash >> 60 < 8 ? CountryAddress(hash) : privacy();
    case Addresses::kOffice:
      return Text("192.168.%u.%u", static_cast<unsigned>(networks_[0] & 3u),
                  1 + static_cast<unsigned>(client % 250));
  }
  return "";
}

std::string StormWorld::ForeignAddress(std::int64_t host, bool ipv6) {
  const std::uint64_t hash = Mixed(static_cast<std::uint64_t>(host) ^ 0x5eed'f0fe'1600u);
  if (ipv6) {
    return Text(
        "2a%02x:%x:%x:%x::%x", static_cast<unsigned>(hash & 0xff),
        static_cast<unsigned>(hash >> 8 & 0xffff), static_cast<unsigned>(hash >> 24 & 0xffff),
        static_cast<unsigned>(hash >> 40 & 0xffff), static_cast<unsigned>(hash >> 50 & 0xfff));
  }
  return Text("%u.%u.%u.%u", 1 + static_cast<unsigned>(hash % 222),
              static_cast<unsigned>(hash >> 16 & 0xff), static_cast<unsigned>(hash >> 24 & 0xff),
              static_cast<unsigned>(hash >> 32 & 0xff));
}

std::string StormWorld::NeighbourAddress(std::int64_t host) const {
  return CountryAddress(Mixed(static_cast<std::uint64_t>(host) ^ ~seed_));
}

std::string StormWorld::NextVersion(const std::string& agent) {
  std::string next = agent;
  const std::size_t digit = next.find_first_of("123456789", next.find('/'));
  if (digit != next.npos)
    next[digit] = next[digit] == '9' ? '8' : static_cast<char>(next[digit] + 1);
  return next;
}

std::string StormWorld::EndpointFor(Random* random) const {
  const double u = random->Uniform();
  return paths_[static_cast<std::size_t>(u * u * static_cast<double>(paths_.size()))];
}

Sender StormWorld::ClientAs(std::int64_t client, Random* random) const {
  Sender sender = {.address = AddressOf(client, random),
                   .agent = agents_[AgentOf(client)],
                   .user = {},
                   .endpoint = EndpointFor(random)};
  // Whether somebody logs in is his habit.
  if (static_cast<double>(HashOf(client, 5) % 1000) < 1000 * named_) {
    sender.user = Text("user-%llu", static_cast<unsigned long long>(client));
  }
  return sender;
}

void StormWorld::Send(const Sender& sender, Random* random, EmitEvent emit) const {
  Event event;
  event.type = requests_ ? EventType::kRequest : EventType::kConnection;
  if (requests_) {
    event.status = 200;
    event.Set(Field::kEndpoint, sender.endpoint);
  } else {
    event.action = ConnectionAction::kOpen;
  }
  event.Set(Field::kService, "edge");
  if (!random->Chance(address_missing_)) event.Set(Field::kClientIp, sender.address);
  if (!random->Chance(agent_missing_)) event.Set(Field::kUserAgent, sender.agent);
  event.Set(Field::kUser, sender.user);
  event.Normalize();
  emit(event);
}

void StormWorld::Quiet(double part, Random* random, EmitEvent emit) const {
  for (int visits = random->Poisson(part * per_pane_ / visit_events_); visits > 0; --visits) {
    const std::int64_t client = random->Chance(newcomers_) ? Newcomer(random) : Regular(random);
    // Geometric, of the mean.
    int events = 1;
    while (events < 200 && random->Chance(1 - 1 / visit_events_)) ++events;
    Sender sender = ClientAs(client, random);
    for (; events > 0; --events) {
      Send(sender, random, emit);
      sender.endpoint = EndpointFor(random);
    }
  }
}

void StormWorld::DropFields(bool addresses, bool agents, bool users) {
  if (addresses) address_missing_ = 1;
  if (agents) agent_missing_ = 1;
  if (users) named_ = 0;
}

}  // namespace tocsin
