// Who makes room for whom, in virtual time.
#include "transport/connection_table.h"

#include <array>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Phase = ConnectionTable::Phase;

constexpr TimeUs kNow = 1'000 * kSecondUs;

class ConnectionTableTest : public testing::Test {
 protected:
  class Client final : public ConnectionTable::Connection {
   public:
    Client(std::string name, std::vector<std::string>* closed)
        : name_(std::move(name)), closed_(*closed) {}
    void Close() override { closed_.push_back(name_); }

   private:
    const std::string name_;
    std::vector<std::string>& closed_;
  };

  // Its name is also what it is called when it is closed.
  Client* Add(const std::string& name, const std::string& address = "a", TimeUs now = kNow) {
    clients_.push_back(std::make_unique<Client>(name, &closed_));
    return table_.Add(clients_.back().get(), address, now) ? clients_.back().get() : nullptr;
  }

  ConnectionTable table_{{.connections_max = 8, .bodies_bytes_max = 1'000}};
  std::vector<std::string> closed_;
  std::vector<std::unique_ptr<Client>> clients_;
};

TEST_F(ConnectionTableTest, WhoDrainsGoesFirstThenWhoWaitsForAHeader) {
  for (const char* address : {"a", "b", "c", "d", "e", "f"}) Add(address, address);
  Client* const reads = Add("reads", "g");
  table_.BeginBody(reads, false, kNow);
  Client* const drains = Add("drains", "h");
  table_.Enter(drains, Phase::kDraining, kNow);
  Add("1", "i");
  Add("2", "j");
  EXPECT_THAT(closed_, ElementsAre("drains", "a"));
  EXPECT_EQ(table_.size(), 8u);
}

TEST_F(ConnectionTableTest, ThenUnfinishedBodiesThenAnswersThatNobodyReads) {
  Client* const writes = Add("writes", "a");
  table_.Enter(writes, Phase::kWriting, kNow);
  for (const char* address : {"b", "c", "d", "e", "f", "g"}) {
    table_.Enter(Add(address, address), Phase::kAnswer, kNow);
  }
  Client* const reads = Add("reads", "h");
  table_.BeginBody(reads, true, kNow);
  table_.Enter(Add("1", "i"), Phase::kAnswer, kNow);
  EXPECT_THAT(closed_, ElementsAre("reads"));
  EXPECT_EQ(Add("2", "j"), nullptr) << "an answer has a second";
  EXPECT_EQ(table_.counters().refused, 1);
  EXPECT_NE(Add("3", "k", kNow + kSecondUs + 1), nullptr);
  EXPECT_THAT(closed_, ElementsAre("reads", "writes"));
}

TEST_F(ConnectionTableTest, WhatWaitsForUsStays) {
  for (const char* address : {"a", "b", "c", "d", "e", "f", "g", "h"}) {
    table_.Enter(Add(address, address), Phase::kAnswer, kNow);
  }
  EXPECT_EQ(Add("i", "i", kNow + kHourUs), nullptr);
  EXPECT_THAT(closed_, IsEmpty());
}

TEST_F(ConnectionTableTest, AnAddressMakesRoomForItself) {
  for (const char* name : {"a1", "a2", "a3", "a4"}) Add(name, "a");
  Add("b1", "b");
  Add("a5", "a");
  EXPECT_THAT(closed_, ElementsAre("a1"));
  for (const auto& client : clients_) table_.Enter(client.get(), Phase::kAnswer, kNow);
  EXPECT_EQ(Add("a6", "a"), nullptr) << "though there are places left";
}

TEST_F(ConnectionTableTest, OfBodiesTheSlowThenTheOldestAndTheProvenLast) {
  const auto begin = [&](const std::string& name, bool proven, std::uint64_t received, TimeUs at) {
    Client* const client = Add(name, name, at);
    table_.BeginBody(client, proven, at);
    EXPECT_TRUE(table_.Grew(client, received, 1, at));
    return client;
  };
  // Of eight places six are for unfinished bodies.
  begin("proven and slow", true, 1, kNow);
  begin("old and fast", false, 1'000'000, kNow + 1);
  begin("slow", false, 500, kNow + 2);
  begin("slowest", false, 400, kNow + 3);
  begin("new and fast", false, 2'000'000, kNow + 4);
  begin("proven", true, 1'000'000, kNow + 5);
  const TimeUs later = kNow + 10 * kSecondUs;
  for (int i = 0; i < 6; ++i) begin("next " + std::to_string(i), true, 1'000'000, later + i);
  EXPECT_THAT(closed_, ElementsAre("slowest", "slow", "old and fast", "new and fast",
                                   "proven and slow", "proven"));
  EXPECT_EQ(table_.counters().bodies_cut, 6);
}

TEST_F(ConnectionTableTest, AnAddressHasAQuarterForBodies) {
  table_.BeginBody(Add("a1", "a"), false, kNow);
  table_.BeginBody(Add("a2", "a"), false, kNow);
  table_.BeginBody(Add("b1", "b"), false, kNow);
  table_.BeginBody(Add("a3", "a"), false, kNow);
  EXPECT_THAT(closed_, ElementsAre("a1"));
}

TEST_F(ConnectionTableTest, MemoryIsCountedAsItIsTakenAndGivenBack) {
  Client* const first = Add("first", "a");
  Client* const second = Add("second", "b");
  table_.BeginBody(first, false, kNow);
  table_.BeginBody(second, false, kNow);
  EXPECT_TRUE(table_.Grew(first, 600, 600, kNow));
  EXPECT_TRUE(table_.Grew(second, 400, 400, kNow));
  EXPECT_TRUE(table_.Grew(second, 5'000, 500, kNow));
  EXPECT_THAT(closed_, ElementsAre("first")) << "the slower one";
  // What waits for its answer is held, and not taken away.
  table_.Enter(second, Phase::kAnswer, kNow);
  Client* const third = Add("third", "c");
  table_.BeginBody(third, true, kNow);
  EXPECT_FALSE(table_.Grew(third, 501, 501, kNow));
  table_.Remove(third);
  table_.Release(second);
  Client* const fourth = Add("fourth", "d");
  table_.BeginBody(fourth, false, kNow);
  EXPECT_TRUE(table_.Grew(fourth, 1'000, 1'000, kNow));
  table_.Remove(fourth);
  table_.Remove(fourth);
  EXPECT_EQ(table_.size(), 1u);
}

TEST_F(ConnectionTableTest, CloseAllClosesAll) {
  Add("a", "a");
  table_.Enter(Add("b", "b"), Phase::kAnswer, kNow);
  table_.CloseAll();
  EXPECT_THAT(closed_, testing::UnorderedElementsAre("a", "b"));
  EXPECT_EQ(table_.size(), 0u);
}

TEST(ConnectionTable, AClientIsAnAddressOfV4OrANetworkOfV6) {
  const auto key = [](std::array<unsigned char, 16> address) {
    return ConnectionTable::AddressKey(address);
  };
  const std::array<unsigned char, 16> mapped = {0, 0, 0,    0,    0,   0, 0, 0,
                                                0, 0, 0xff, 0xff, 192, 0, 2, 1};
  std::array<unsigned char, 16> other = mapped;
  other[15] = 2;
  EXPECT_NE(key(mapped), key(other));
  std::array<unsigned char, 16> v6 = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1};
  std::array<unsigned char, 16> same_network = v6;
  same_network[15] = 2;
  std::array<unsigned char, 16> next_network = v6;
  next_network[7] = 2;
  EXPECT_EQ(key(v6), key(same_network));
  EXPECT_NE(key(v6), key(next_network));
}

}  // namespace
}  // namespace tocsin
