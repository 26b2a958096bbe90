#include "transport/http_server.h"

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "tests/transport/socket.h"

namespace tocsin {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr absl::Duration kShort = absl::Milliseconds(50);

HttpResponse Echo(const HttpRequest& request) {
  HttpResponse response;
  response.body = request.method + " " + request.target + " " + request.body;
  response.headers["X-Seen"] = "yes";
  return response;
}

TEST(HttpServer, AnswersOnAPortOfItsOwn) {
  HttpServer server({}, Echo);
  ASSERT_TRUE(server.Start().ok());
  ASSERT_NE(server.port(), 0);
  TestSocket socket(server.port());
  socket.Send("POST /a?b=c HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
  const std::string reply = socket.ReadReply();
  EXPECT_EQ(StatusOf(reply), 200);
  EXPECT_EQ(BodyOf(reply), "POST /a?b=c abc");
  EXPECT_THAT(reply, AllOf(HasSubstr("X-Seen: yes\r\n"), HasSubstr("text/plain; charset=utf-8")));
}

TEST(HttpServer, HeadersAreInLowerCaseAndRepeatedOnesAreAList) {
  std::map<std::string, std::string> headers;
  HttpServer server({}, [&](const HttpRequest& request) {
    headers = request.headers;
    return HttpResponse{};
  });
  ASSERT_TRUE(server.Start().ok());
  TestSocket socket(server.port());
  socket.Send("GET / HTTP/1.1\r\nHost: x\r\nX-One: a\r\nx-ONE: b\r\n\r\n");
  ASSERT_EQ(StatusOf(socket.ReadReply()), 200);
  server.Stop();
  EXPECT_EQ(headers["host"], "x");
  EXPECT_EQ(headers["x-one"], "a, b");
}

TEST(HttpServer, KeepsAConnectionAndAnswersPipelinedRequestsInOrder) {
  HttpServer server({}, Echo);
  ASSERT_TRUE(server.Start().ok());
  TestSocket socket(server.port());
  socket.Send("GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n");
  EXPECT_EQ(BodyOf(socket.ReadReply()), "GET /1 ");
  EXPECT_EQ(BodyOf(socket.ReadReply()), "GET /2 ");
  socket.Send("GET /3 HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(BodyOf(socket.ReadAll()), "GET /3 ");
}

TEST(HttpServer, HeadHasTheLengthAndNoBody) {
  HttpServer server({}, Echo);
  ASSERT_TRUE(server.Start().ok());
  TestSocket socket(server.port());
  socket.Send("HEAD /1 HTTP/1.1\r\nConnection: close\r\n\r\n");
  const std::string reply = socket.ReadAll();
  EXPECT_THAT(reply, HasSubstr("Content-Length: 8\r\n"));
  EXPECT_EQ(BodyOf(reply), "");
}

TEST(HttpServer, SaysContinueToWhoWaitsForIt) {
  HttpServer server({}, Echo);
  ASSERT_TRUE(server.Start().ok());
  TestSocket socket(server.port());
  socket.Send("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(StatusOf(socket.ReadReply()), 100);
  socket.Send("ok");
  EXPECT_EQ(BodyOf(socket.ReadReply()), "POST / ok");
}

TEST(HttpServer, ADroppedAnswerEndsTheConnection) {
  HttpServer server({}, [](const HttpRequest&) {
    HttpResponse response;
    response.drop = true;
    return response;
  });
  ASSERT_TRUE(server.Start().ok());
  TestSocket socket(server.port());
  socket.Send("GET / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(socket.ReadAll(), "");
}

TEST(HttpServer, AnImpossibleStatusIsOurFault) {
  HttpServer server({}, [](const HttpRequest&) { return HttpResponse{.status = 12345}; });
  ASSERT_TRUE(server.Start().ok());
  TestSocket socket(server.port());
  socket.Send("GET / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(StatusOf(socket.ReadReply()), 500);
}

struct Hostile {
  const char* name;
  std::string bytes;
  int status;
};

class HttpServerHostile : public testing::TestWithParam<Hostile> {};

TEST_P(HttpServerHostile, IsRefusedAndTheServerGoesOn) {
  HttpServer server({}, Echo);
  ASSERT_TRUE(server.Start().ok());
  {
    TestSocket socket(server.port());
    socket.Send(GetParam().bytes);
    EXPECT_EQ(StatusOf(socket.ReadReply()), GetParam().status);
  }
  TestSocket next(server.port());
  next.Send("GET /still-here HTTP/1.1\r\n\r\n");
  EXPECT_EQ(BodyOf(next.ReadReply()), "GET /still-here ");
}

INSTANTIATE_TEST_SUITE_P(
    All, HttpServerHostile,
    testing::Values(
        Hostile{"LongHeader", "GET / HTTP/1.1\r\nX: " + std::string(9'000, 'a') + "\r\n\r\n", 431},
        Hostile{"EndlessHeader", "GET / HTTP/1.1\r\nX: " + std::string(500'000, 'a'), 431},
        Hostile{"LongTarget", "GET /" + std::string(100'000, 'a') + " HTTP/1.1\r\n\r\n", 431},
        Hostile{"LongBody",
                "POST / HTTP/1.1\r\nContent-Length: 1048577\r\n\r\n" + std::string(1'048'577, 'b'),
                413},
        Hostile{"HugeLength", "POST / HTTP/1.1\r\nContent-Length: 18446744073709551615\r\n\r\n",
                413},
        Hostile{"LongChunks",
                "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n200000\r\n" +
                    std::string(0x200000, 'c'),
                413},
        Hostile{"BadChunk", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
        Hostile{"BadLength", "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400},
        Hostile{"TwoLengths", "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
                400},
        // Where two servers in a row read different requests in the same bytes.
        Hostile{"LengthAndChunks",
                "POST / HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
                "0\r\n\r\n",
                400},
        Hostile{"ChunksAndLength",
                "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n"
                "0\r\n\r\n",
                400},
        Hostile{"SameLengthTwice",
                "POST / HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nab", 400},
        Hostile{"BareLineFeeds", "GET / HTTP/1.1\nHost: x\n\n", 400},
        Hostile{"FoldedLine", "GET / HTTP/1.1\r\nX: a\r\n b\r\n\r\n", 400},
        Hostile{"SpaceBeforeColon", "POST / HTTP/1.1\r\nContent-Length : 2\r\n\r\nab", 400},
        Hostile{"OtherCoding", "POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
                400},
        Hostile{"Garbage", std::string("\x16\x03\x01\x02\0\x01\0\x01\xfc\r\n\r\n", 13), 400},
        Hostile{"Version", "GET / HTTP/9.9\r\n\r\n", 400}),
    [](const testing::TestParamInfo<Hostile>& param_info) { return param_info.param.name; });

TEST(HttpServer, ASlowClientIsCutOffInEveryPhase) {
  HttpServer server({.phase_timeout = kShort}, Echo);
  ASSERT_TRUE(server.Start().ok());
  for (const char* begun : {"", "GET / HT", "POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc"}) {
    TestSocket socket(server.port());
    socket.Send(begun);
    EXPECT_EQ(socket.ReadAll(), "") << begun;
  }
  // Idle between two requests, and after the last answer.
  TestSocket idle(server.port());
  idle.Send("GET /1 HTTP/1.1\r\n\r\n");
  EXPECT_EQ(BodyOf(idle.ReadAll()), "GET /1 ");
}

TEST(HttpServer, AClientThatDoesNotReadIsCutOff) {
  const std::string large(64 << 20, 'x');
  absl::Notification asked;
  HttpServer server({.phase_timeout = kShort}, [&](const HttpRequest&) {
    asked.Notify();
    HttpResponse response;
    response.body = large;
    return response;
  });
  ASSERT_TRUE(server.Start().ok());
  TestSocket socket(server.port());
  socket.Send("GET / HTTP/1.1\r\n\r\n");
  asked.WaitForNotification();
  // The deadline of a connection that came later has passed, hence the first one's too.
  TestSocket later(server.port());
  EXPECT_EQ(later.ReadAll(), "");
  EXPECT_LT(socket.ReadAll().size(), large.size());
}

TEST(HttpServer, WhoSendsNothingMakesRoom) {
  HttpServer server({.connections_max = 8}, Echo);
  ASSERT_TRUE(server.Start().ok());
  std::vector<std::unique_ptr<TestSocket>> idle;
  for (int i = 0; i < 1'000; ++i) {
    idle.push_back(std::make_unique<TestSocket>(server.port()));
    if (i % 2 == 0) idle.back()->Send("GET / HTTP/1.1\r\nX-Slow: ");
  }
  for (int i = 0; i < 20; ++i) {
    TestSocket next(server.port());
    next.Send("GET /next HTTP/1.1\r\n\r\n");
    EXPECT_EQ(BodyOf(next.ReadReply()), "GET /next ");
  }
  // The first have long been cut off.
  EXPECT_EQ(idle.front()->ReadAll(), "");
}

TEST(HttpServer, WhoIsAnsweredMakesNoRoom) {
  absl::Mutex mutex;
  std::vector<HttpServer::Respond> waiting;
  HttpServer server({.connections_max = 8}, [&](const HttpRequest&, HttpServer::Respond respond) {
    absl::MutexLock lock(&mutex);
    waiting.push_back(std::move(respond));
  });
  ASSERT_TRUE(server.Start().ok());
  std::vector<std::unique_ptr<TestSocket>> busy;
  for (int i = 0; i < 8; ++i) {
    busy.push_back(
        std::make_unique<TestSocket>(server.port(), i % 2 == 0 ? "127.0.0.1" : "127.0.0.2"));
    busy.back()->Send("GET / HTTP/1.1\r\n\r\n");
  }
  {
    absl::MutexLock lock(&mutex);
    const auto all = [&] { return waiting.size() == 8; };
    ASSERT_TRUE(mutex.AwaitWithTimeout(absl::Condition(&all), absl::Minutes(1)));
  }
  TestSocket one_too_many(server.port(), "127.0.0.3");
  EXPECT_EQ(one_too_many.ReadAll(), "");
  EXPECT_EQ(server.counters().refused, 1);
  for (const HttpServer::Respond& respond : waiting) respond({.body = "at last"});
  for (const auto& socket : busy) EXPECT_EQ(BodyOf(socket->ReadReply()), "at last");
}

// A body that was announced and has not come, from each of `count` connections.
std::vector<std::unique_ptr<TestSocket>> BeginBodies(std::uint16_t port, int count,
                                                     const std::string& from) {
  std::vector<std::unique_ptr<TestSocket>> begun;
  for (int i = 0; i < count; ++i) {
    begun.push_back(std::make_unique<TestSocket>(port, from));
    begun.back()->Send("POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\nabc");
  }
  return begun;
}

// Unfinished bodies from one address, and what the same address is answered meanwhile.
void FillWithBodies(const std::string& listen, const std::string& from) {
  HttpServer server({.address = listen, .connections_max = 64}, Echo);
  const absl::Status started = server.Start();
  if (!started.ok() && from == "::1") GTEST_SKIP() << started;
  ASSERT_TRUE(started.ok()) << started;
  const auto begun = BeginBodies(server.port(), 100, from);
  TestSocket socket(server.port(), from);
  socket.Send("GET /healthz HTTP/1.1\r\n\r\n");
  EXPECT_EQ(BodyOf(socket.ReadReply()), "GET /healthz ");
  socket.Send("POST /act HTTP/1.1\r\nContent-Length: 2\r\n\r\nok");
  EXPECT_EQ(BodyOf(socket.ReadReply()), "POST /act ok") << "a body that comes is read";
  // Connections are accepted in order, and an address has half of the 64.
  EXPECT_GE(server.counters().closed, 101 - 32);
}

TEST(HttpServer, UnfinishedBodiesLeaveRoomForOthers) { FillWithBodies("127.0.0.1:0", "127.0.0.1"); }

TEST(HttpServer, UnfinishedBodiesLeaveRoomForOthersInV6) { FillWithBodies("[::1]:0", "::1"); }

TEST(HttpServer, ManyAddressesLeaveRoomForOthers) {
  HttpServer server({.connections_max = 64}, Echo);
  ASSERT_TRUE(server.Start().ok());
  std::vector<std::vector<std::unique_ptr<TestSocket>>> begun;
  for (int i = 2; i < 40; ++i) {
    begun.push_back(BeginBodies(server.port(), 8, absl::StrCat("127.0.0.", i)));
  }
  TestSocket socket(server.port());
  socket.Send("POST /act HTTP/1.1\r\nContent-Length: 2\r\n\r\nok");
  EXPECT_EQ(BodyOf(socket.ReadReply()), "POST /act ok");
  socket.Send("GET /next HTTP/1.1\r\n\r\n");
  EXPECT_EQ(BodyOf(socket.ReadReply()), "GET /next ");
}

TEST(HttpServer, SlowHeadersFromEverywhereLeaveRoomForOthers) {
  HttpServer server({.connections_max = 16}, Echo);
  ASSERT_TRUE(server.Start().ok());
  std::vector<std::unique_ptr<TestSocket>> slow;
  for (int i = 2; i < 200; ++i) {
    slow.push_back(std::make_unique<TestSocket>(server.port(), absl::StrCat("127.0.0.", i)));
    slow.back()->Send("POST / HTTP/1.1\r\nX-Slow: ");
  }
  TestSocket next(server.port());
  next.Send("GET /next HTTP/1.1\r\n\r\n");
  EXPECT_EQ(BodyOf(next.ReadReply()), "GET /next ");
}

TEST(HttpServer, OneAddressTakesNoMoreThanHalf) {
  HttpServer server({.connections_max = 16}, Echo);
  ASSERT_TRUE(server.Start().ok());
  TestSocket other(server.port(), "127.0.0.2");
  std::vector<std::unique_ptr<TestSocket>> idle;
  for (int i = 0; i < 100; ++i) idle.push_back(std::make_unique<TestSocket>(server.port()));
  // It waits for a request, longer than all of them, and stays.
  other.Send("GET /other HTTP/1.1\r\n\r\n");
  EXPECT_EQ(BodyOf(other.ReadReply()), "GET /other ");
  // Connections are accepted in order.
  TestSocket last(server.port(), "127.0.0.3");
  last.Send("GET /last HTTP/1.1\r\n\r\n");
  EXPECT_EQ(BodyOf(last.ReadReply()), "GET /last ");
  EXPECT_EQ(server.counters().closed, 92);
}

constexpr std::size_t kMiB = 1 << 20;

HttpServer::Options SmallMemory() {
  return {.connections_max = 100,
          .body_bytes_max = 4 * kMiB,
          .bodies_bytes_max = 8 * kMiB,
          .admit = [](const HttpRequest& head) {
            return HttpServer::Admission{.proven = head.headers.contains("authorization")};
          }};
}

TEST(HttpServer, WhatWasAnnouncedTakesNoMemory) {
  HttpServer server(SmallMemory(), Echo);
  ASSERT_TRUE(server.Start().ok());
  const auto begun = BeginBodies(server.port(), 20, "127.0.0.2");
  TestSocket socket(server.port());
  socket.Send(absl::StrCat("POST / HTTP/1.1\r\nContent-Length: ", 4 * kMiB, "\r\n\r\n",
                           std::string(4 * kMiB, 'x')));
  EXPECT_EQ(StatusOf(socket.ReadReply()), 200);
}

// Bodies of which all but a byte have come.
TEST(HttpServer, UnfinishedBodiesGiveTheirMemoryToOthers) {
  HttpServer server(SmallMemory(), Echo);
  ASSERT_TRUE(server.Start().ok());
  const std::string almost =
      absl::StrCat("Content-Length: ", 2 * kMiB, "\r\n\r\n", std::string(2 * kMiB - 1, 'x'));
  TestSocket proven(server.port(), "127.0.0.3");
  proven.Send("POST / HTTP/1.1\r\nAuthorization: us\r\n" + almost);
  std::vector<std::unique_ptr<TestSocket>> hostile;
  for (int i = 0; i < 20; ++i) {
    hostile.push_back(std::make_unique<TestSocket>(server.port(), "127.0.0.2"));
    hostile.back()->Send("POST / HTTP/1.1\r\n" + almost);
  }
  for (int i = 0; i < 20; ++i) {
    TestSocket socket(server.port());
    ASSERT_TRUE(socket.Send("POST / HTTP/1.1\r\n" + almost + "x"));
    EXPECT_EQ(StatusOf(socket.ReadReply()), 200) << i;
  }
  // Whoever has shown who they are goes last.
  proven.Send("x");
  EXPECT_EQ(StatusOf(proven.ReadReply()), 200);
}

TEST(HttpServer, BodiesThatWaitForTheirAnswerAreBounded) {
  absl::Mutex mutex;
  std::vector<HttpServer::Respond> waiting;
  HttpServer server(SmallMemory(), [&](const HttpRequest&, HttpServer::Respond respond) {
    absl::MutexLock lock(&mutex);
    waiting.push_back(std::move(respond));
  });
  ASSERT_TRUE(server.Start().ok());
  std::vector<std::unique_ptr<TestSocket>> sent;
  for (std::size_t i = 0; i < 2; ++i) {
    sent.push_back(std::make_unique<TestSocket>(server.port()));
    sent.back()->Send(absl::StrCat("POST / HTTP/1.1\r\nContent-Length: ", 3 * kMiB, "\r\n\r\n",
                                   std::string(3 * kMiB, 'x')));
    absl::MutexLock lock(&mutex);
    const auto taken = [&] { return waiting.size() == i + 1; };
    ASSERT_TRUE(mutex.AwaitWithTimeout(absl::Condition(&taken), absl::Minutes(1)));
  }
  TestSocket third(server.port());
  third.Send(absl::StrCat("POST / HTTP/1.1\r\nContent-Length: ", 4 * kMiB, "\r\n\r\n",
                          std::string(4 * kMiB, 'x')));
  EXPECT_THAT(third.ReadReply(), AllOf(HasSubstr("503"), HasSubstr("Retry-After: 1")));
  for (const HttpServer::Respond& respond : waiting) respond({});
  for (const auto& socket : sent) EXPECT_EQ(StatusOf(socket->ReadReply()), 200);
  TestSocket fourth(server.port());
  fourth.Send("POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\na");
  absl::MutexLock lock(&mutex);
  const auto taken = [&] { return waiting.size() == 3; };
  ASSERT_TRUE(mutex.AwaitWithTimeout(absl::Condition(&taken), absl::Minutes(1)));
  waiting.back()({});
  EXPECT_EQ(StatusOf(fourth.ReadReply()), 200);
}

TEST(HttpServer, TheHeaderDecidesBeforeTheBodyIsRead) {
  HttpServer server({.admit =
                         [](const HttpRequest& head) {
                           HttpServer::Admission admission;
                           if (head.target == "/no") {
                             admission.refused = HttpResponse{.status = 401, .body = "no"};
                           }
                           return admission;
                         }},
                    Echo);
  ASSERT_TRUE(server.Start().ok());
  TestSocket waits(server.port());
  waits.Send("POST /no HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
  EXPECT_EQ(StatusOf(waits.ReadReply()), 401) << "and no 100 Continue";
  TestSocket sends(server.port());
  sends.Send("POST /no HTTP/1.1\r\nContent-Length: 5\r\n\r\nGET / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(BodyOf(sends.ReadAll()), "no") << "the body is not taken for a request";
  TestSocket stays(server.port());
  stays.Send("GET /no HTTP/1.1\r\n\r\nGET /yes HTTP/1.1\r\n\r\n");
  EXPECT_EQ(StatusOf(stays.ReadReply()), 401);
  EXPECT_EQ(BodyOf(stays.ReadReply()), "GET /yes ");
}

TEST(HttpServer, AnswersFromAnotherThread) {
  std::vector<std::thread> threads;
  HttpServer server({}, [&](HttpRequest request, HttpServer::Respond respond) {
    threads.emplace_back([request = std::move(request), respond = std::move(respond)] {
      respond({.body = "late " + request.target});
    });
  });
  ASSERT_TRUE(server.Start().ok());
  TestSocket socket(server.port());
  socket.Send("GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n");
  EXPECT_EQ(BodyOf(socket.ReadReply()), "late /1");
  EXPECT_EQ(BodyOf(socket.ReadReply()), "late /2");
  server.Stop();
  for (std::thread& thread : threads) thread.join();
}

TEST(HttpServer, AnAnswerAfterTheEndIsNone) {
  HttpServer::Respond kept;
  absl::Notification asked;
  HttpServer server({}, [&](const HttpRequest&, HttpServer::Respond respond) {
    kept = std::move(respond);
    asked.Notify();
  });
  ASSERT_TRUE(server.Start().ok());
  TestSocket socket(server.port());
  socket.Send("GET / HTTP/1.1\r\n\r\n");
  asked.WaitForNotification();
  server.Stop();
  EXPECT_EQ(socket.ReadAll(), "");
  kept({.body = "too late"});
}

TEST(HttpServer, StopsWithOpenConnectionsAndStartsAgain) {
  HttpServer server({}, Echo);
  ASSERT_TRUE(server.Start().ok());
  TestSocket idle(server.port());
  TestSocket begun(server.port());
  idle.Send("GET / HTTP/1.1\r\n\r\n");
  idle.ReadReply();
  begun.Send("POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc");
  server.Stop();
  EXPECT_EQ(idle.ReadAll(), "");
  EXPECT_EQ(begun.ReadAll(), "");
  server.Stop();
  ASSERT_TRUE(server.Start().ok());
  TestSocket socket(server.port());
  socket.Send("GET /2 HTTP/1.1\r\n\r\n");
  EXPECT_EQ(BodyOf(socket.ReadReply()), "GET /2 ");
}

TEST(HttpServer, StopWaitsForTheHandler) {
  absl::Notification entered;
  absl::Notification leave;
  bool left = false;
  HttpServer server({}, [&](const HttpRequest&) {
    entered.Notify();
    leave.WaitForNotification();
    left = true;
    return HttpResponse{};
  });
  ASSERT_TRUE(server.Start().ok());
  TestSocket socket(server.port());
  socket.Send("GET / HTTP/1.1\r\n\r\n");
  entered.WaitForNotification();
  leave.Notify();
  server.Stop();
  EXPECT_TRUE(left);
}

TEST(HttpServer, NamesTheAddressThatItCannotHave) {
  HttpServer first({}, Echo);
  ASSERT_TRUE(first.Start().ok());
  const std::string taken = "127.0.0.1:" + std::to_string(first.port());
  HttpServer second({.address = taken}, Echo);
  EXPECT_THAT(std::string(second.Start().message()),
              AllOf(HasSubstr("cannot listen on " + taken), HasSubstr("in use")));
  for (const char* address : {"", "9464", "127.0.0.1:http-or-so", "no.such.host.invalid:0",
                              "127.0.0.1:99999", "[::1:80"}) {
    HttpServer server({.address = address}, Echo);
    EXPECT_THAT(std::string(server.Start().message()), StartsWith("cannot listen on ")) << address;
  }
  // A failed start leaves nothing behind.
  first.Stop();
  EXPECT_TRUE(second.Start().ok());
}

}  // namespace
}  // namespace tocsin
