// The connections of an HTTP server: what each waits for, and which one makes room for another.
//
//   ConnectionTable table({.connections_max = 64, .bodies_bytes_max = 256 << 20});
//   if (!table.Add(&connection, address, now)) …           // none can go: close this one
//   table.BeginBody(&connection, /*proven=*/true, now);
//   if (!table.Grew(&connection, received, held, now)) …   // this one had to go: refuse it
//   table.Enter(&connection, ConnectionTable::Phase::kAnswer, now);
//   table.Remove(&connection);
//
// Whoever sends nothing, or slowly, makes room for whoever sends. A new connection is let in as
// long as another one waits for its client: first those that only drain, then the longest wait for
// a header, then unfinished bodies, then answers that nobody has read for a second. Of unfinished
// bodies those of clients that have not proven who they are go first; of these the slowest below
// kBytesPerSecondMin, then the oldest. An address has at most half of all connections and a quarter
// of them as unfinished bodies, and all addresses three quarters, so that there is always a place
// for a request without one. Of IPv6 a /64 is one address. Memory is counted as it is taken, not as
// it is announced. Not thread-safe; `now` is monotonic.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <string>

#include "core/time.h"

namespace tocsin {

class ConnectionTable {
 public:
  static constexpr std::uint64_t kBytesPerSecondMin = 1'024;

  enum class Phase : std::uint8_t {
    kHeader,    // or a TLS handshake, or the next request of a kept connection
    kBody,      // unfinished
    kAnswer,    // waits for us
    kWriting,   // the answer
    kDraining,  // answered; the client may still send
  };
  static constexpr std::size_t kPhases = 5;

  class Connection {
   public:
    virtual ~Connection() = default;
    // Ends it; the table has let it go by then.
    virtual void Close() = 0;

   private:
    friend class ConnectionTable;
    std::string address_;  // empty: not in the table
    Phase phase_ = Phase::kHeader;
    TimeUs since_ = 0;  // in this phase
    bool proven_ = false;
    std::uint64_t received_ = 0;  // of the body
    std::uint64_t held_ = 0;      // memory
    std::list<Connection*>::iterator place_;
  };

  struct Limits {
    std::size_t connections_max = 64;
    std::uint64_t bodies_bytes_max = 256 << 20;
  };
  struct Counters {
    std::int64_t refused = 0;     // new connections for which there was no room
    std::int64_t closed = 0;      // connections that made room
    std::int64_t bodies_cut = 0;  // unfinished bodies among them, and those refused for memory
  };

  explicit ConnectionTable(Limits limits) : limits_(limits) {}
  ConnectionTable(const ConnectionTable&) = delete;
  ConnectionTable& operator=(const ConnectionTable&) = delete;

  // Enters it in phase kHeader. False where nobody can make room for it.
  bool Add(Connection* connection, const std::string& address, TimeUs now);
  // Also of one that is not there.
  void Remove(Connection* connection);
  void Enter(Connection* connection, Phase phase, TimeUs now);
  // Enters kBody. Others may have to go.
  void BeginBody(Connection* connection, bool proven, TimeUs now);
  // So much of the body came in all, and it takes so much memory. False when it had to go itself.
  bool Grew(Connection* connection, std::uint64_t received, std::uint64_t held, TimeUs now);
  // Its body is held no more.
  void Release(Connection* connection);

  void CloseAll();
  std::size_t size() const { return open_; }
  // Any thread.
  Counters counters() const;

  // What counts as one client: an IPv4 address, which is mapped into IPv6 here, or the /64 of an
  // IPv6 one; in network order. Never empty.
  static std::string AddressKey(const std::array<unsigned char, 16>& v6);

 private:
  struct Use {
    std::size_t connections = 0, bodies = 0;
  };

  std::list<Connection*>& In(Phase phase) { return phases_[static_cast<std::size_t>(phase)]; }
  void Move(Connection* connection, Phase phase, TimeUs now);
  // The connection that makes room, of one address or of any; nullptr if none can.
  Connection* Victim(const std::string* address, TimeUs now);
  Connection* OldestIn(Phase phase, const std::string* address, TimeUs entered_before);
  Connection* WorstBody(const std::string* address, TimeUs now);
  void CloseForRoom(Connection* connection);

  const Limits limits_;
  std::array<std::list<Connection*>, kPhases> phases_;  // each in order of entering
  std::map<std::string, Use> addresses_;
  std::size_t open_ = 0;
  std::uint64_t held_ = 0;
  // Relaxed: figures for people.
  std::atomic<std::int64_t> refused_{0}, closed_{0}, bodies_cut_{0};
};

}  // namespace tocsin
