#include "transport/connection_table.h"

#include <algorithm>
#include <tuple>

namespace tocsin {
namespace {

// An answer that is being written is left alone for so long.
constexpr DurationUs kWritingMin = kSecondUs;

std::size_t Share(std::size_t of, std::size_t quarters) {
  return std::max<std::size_t>(1, of * quarters / 4);
}

}  // namespace

bool ConnectionTable::Add(Connection* connection, const std::string& address, TimeUs now) {
  const auto use = addresses_.find(address);
  const bool too_many_of_it =
      use != addresses_.end() && use->second.connections >= Share(limits_.connections_max, 2);
  if (too_many_of_it || open_ >= limits_.connections_max) {
    Connection* const victim = Victim(too_many_of_it ? &address : nullptr, now);
    if (victim == nullptr) {
      refused_.fetch_add(1, std::memory_order_relaxed);
      return false;
    }
    CloseForRoom(victim);
  }
  connection->address_ = address;
  connection->phase_ = Phase::kHeader;
  connection->since_ = now;
  std::list<Connection*>& waiting = In(Phase::kHeader);
  connection->place_ = waiting.insert(waiting.end(), connection);
  ++addresses_[address].connections;
  ++open_;
  return true;
}

void ConnectionTable::Remove(Connection* connection) {
  if (connection->address_.empty()) return;
  Release(connection);
  const auto use = addresses_.find(connection->address_);
  if (connection->phase_ == Phase::kBody) --use->second.bodies;
  if (--use->second.connections == 0) addresses_.erase(use);
  In(connection->phase_).erase(connection->place_);
  connection->address_.clear();
  --open_;
}

void ConnectionTable::Move(Connection* connection, Phase phase, TimeUs now) {
  Use& use = addresses_[connection->address_];
  if (connection->phase_ == Phase::kBody) --use.bodies;
  if (phase == Phase::kBody) ++use.bodies;
  std::list<Connection*>& to = In(phase);
  to.splice(to.end(), In(connection->phase_), connection->place_);
  connection->phase_ = phase;
  connection->since_ = now;
}

void ConnectionTable::Enter(Connection* connection, Phase phase, TimeUs now) {
  if (!connection->address_.empty()) Move(connection, phase, now);
}

void ConnectionTable::BeginBody(Connection* connection, bool proven, TimeUs now) {
  if (addresses_[connection->address_].bodies >= Share(limits_.connections_max, 1)) {
    CloseForRoom(WorstBody(&connection->address_, now));
  } else if (In(Phase::kBody).size() >= Share(limits_.connections_max, 3)) {
    CloseForRoom(WorstBody(nullptr, now));
  }
  connection->proven_ = proven;
  connection->received_ = 0;
  Move(connection, Phase::kBody, now);
}

bool ConnectionTable::Grew(Connection* connection, std::uint64_t received, std::uint64_t held,
                           TimeUs now) {
  connection->received_ = received;
  held_ += held - connection->held_;
  connection->held_ = held;
  while (held_ > limits_.bodies_bytes_max) {
    Connection* const victim = WorstBody(nullptr, now);
    if (victim == connection) {
      bodies_cut_.fetch_add(1, std::memory_order_relaxed);
      return false;
    }
    CloseForRoom(victim);
  }
  return true;
}

void ConnectionTable::Release(Connection* connection) {
  held_ -= connection->held_;
  connection->held_ = 0;
}

void ConnectionTable::CloseAll() {
  for (std::list<Connection*>& phase : phases_) {
    while (!phase.empty()) {
      Connection* const connection = phase.front();
      Remove(connection);
      connection->Close();
    }
  }
}

ConnectionTable::Counters ConnectionTable::counters() const {
  return {.refused = refused_.load(std::memory_order_relaxed),
          .closed = closed_.load(std::memory_order_relaxed),
          .bodies_cut = bodies_cut_.load(std::memory_order_relaxed)};
}

std::string ConnectionTable::AddressKey(const std::array<unsigned char, 16>& v6) {
  constexpr std::array<unsigned char, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  const bool is_v4 = std::equal(kMapped.begin(), kMapped.end(), v6.begin());
  return is_v4 ? std::string(v6.begin() + 12, v6.end()) : std::string(v6.begin(), v6.begin() + 8);
}

ConnectionTable::Connection* ConnectionTable::Victim(const std::string* address, TimeUs now) {
  Connection* victim = OldestIn(Phase::kDraining, address, now + 1);
  if (victim == nullptr) victim = OldestIn(Phase::kHeader, address, now + 1);
  if (victim == nullptr) victim = WorstBody(address, now);
  if (victim == nullptr) victim = OldestIn(Phase::kWriting, address, now - kWritingMin);
  return victim;
}

ConnectionTable::Connection* ConnectionTable::OldestIn(Phase phase, const std::string* address,
                                                       TimeUs entered_before) {
  for (Connection* const connection : In(phase)) {
    if (connection->since_ >= entered_before) return nullptr;
    if (address == nullptr || connection->address_ == *address) return connection;
  }
  return nullptr;
}

ConnectionTable::Connection* ConnectionTable::WorstBody(const std::string* address, TimeUs now) {
  const auto rank = [now](const Connection& connection) {
    // What has just begun is not slow.
    const DurationUs age = std::max(now - connection.since_, kSecondUs);
    const std::uint64_t rate = connection.received_ * kSecondUs / static_cast<std::uint64_t>(age);
    return std::tuple(connection.proven_, rate < kBytesPerSecondMin ? rate : kBytesPerSecondMin);
  };
  Connection* worst = nullptr;
  // In order of beginning, so that of equals the oldest is found.
  for (Connection* const connection : In(Phase::kBody)) {
    if (address != nullptr && connection->address_ != *address) continue;
    if (worst == nullptr || rank(*connection) < rank(*worst)) worst = connection;
  }
  return worst;
}

void ConnectionTable::CloseForRoom(Connection* connection) {
  if (connection == nullptr) return;
  closed_.fetch_add(1, std::memory_order_relaxed);
  if (connection->phase_ == Phase::kBody) bodies_cut_.fetch_add(1, std::memory_order_relaxed);
  Remove(connection);
  connection->Close();
}

}  // namespace tocsin
