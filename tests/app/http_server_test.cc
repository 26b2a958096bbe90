#include "app/http_server.h"

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "tests/app/socket.h"

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

TEST(HttpServer, WhereAllAreBusyOneMoreIsClosed) {
  HttpServer server({.connections_max = 8}, Echo);
  ASSERT_TRUE(server.Start().ok());
  std::vector<std::unique_ptr<TestSocket>> busy;
  for (int i = 0; i < 8; ++i) {
    busy.push_back(std::make_unique<TestSocket>(server.port()));
    busy.back()->Send("POST / HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
    EXPECT_THAT(busy.back()->ReadReply(), HasSubstr("100 Continue"));
  }
  TestSocket one_too_many(server.port());
  one_too_many.Send("GET / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(one_too_many.ReadAll(), "");
  busy.front()->Send("abc");
  EXPECT_EQ(BodyOf(busy.front()->ReadReply()), "POST / abc");
}

TEST(HttpServer, BodiesAreBoundedTogether) {
  HttpServer server({.connections_max = 100, .body_bytes_max = 64 << 20}, Echo);
  ASSERT_TRUE(server.Start().ok());
  const auto begin = [&] {
    auto socket = std::make_unique<TestSocket>(server.port());
    socket->Send(absl::StrCat("POST / HTTP/1.1\r\nContent-Length: ", 60 << 20,
                              "\r\nExpect: 100-continue\r\n\r\n"));
    return socket;
  };
  std::vector<std::unique_ptr<TestSocket>> reading;
  for (int i = 0; i < 4; ++i) {
    reading.push_back(begin());
    EXPECT_THAT(reading.back()->ReadReply(), HasSubstr("100 Continue")) << i;
  }
  EXPECT_THAT(begin()->ReadReply(), AllOf(HasSubstr("503"), HasSubstr("Retry-After: 1")));
  // One of any length may be as long as one may be.
  TestSocket chunked(server.port());
  chunked.Send("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n");
  EXPECT_EQ(StatusOf(chunked.ReadReply()), 503);
  TestSocket small(server.port());
  small.Send("POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\na");
  EXPECT_EQ(BodyOf(small.ReadReply()), "POST / a");
  // Whoever goes makes room.
  reading.clear();
  std::string reply;
  const absl::Time deadline = absl::Now() + absl::Minutes(1);
  while (reply.find("100 Continue") == reply.npos && absl::Now() < deadline) {
    reply = begin()->ReadReply();
  }
  EXPECT_THAT(reply, HasSubstr("100 Continue"));
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
