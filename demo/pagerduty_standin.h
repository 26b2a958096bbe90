// A stand-in for PagerDuty's Events API v2 that counts as PagerDuty does.
//
//   PagerDutyStandIn pagerduty({.address = "127.0.0.1:0"});
//   TOCSIN_RETURN_IF_ERROR(pagerduty.Start());     // pagerduty.url() is what a sink posts to
//   for (const PagerDutyStandIn::Page& p : pagerduty.Pages()) …
//
// Per routing key and dedup key there is at most one open incident: a trigger with the key of an
// open one is no second one, a trigger after its resolve opens a new one, a resolve without an open
// one does nothing; change events (/v2/change/enqueue) are no pages. Requests are checked against
// the documented schema (400 with the reason). It can be told to act up; its 429 asks to wait for a
// second. GET /pages lists what Pages() does, as JSON. Keeps at most 256 MiB of requests and
// answers 429 past that. The callbacks run on the server's thread and may use everything but Start
// and Stop. Thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "transport/http_server.h"

namespace tocsin {

class PagerDutyStandIn {
 public:
  struct Page {
    std::string dedup_key;
    std::string summary;
    std::string severity;
    bool resolved = false;
    int triggers = 0;  // counted requests, repeats included
    int resolves = 0;
    std::int64_t opened_order = 0;
    std::int64_t resolved_order = 0;  // 0 while open
  };
  struct Request {
    std::string action;  // "change" of a change event, which has no key
    std::string dedup_key;
    std::string body;
    std::string summary = {};
  };
  struct Options {
    std::string address = "127.0.0.1:0";
    // Called for every request that passed the schema, in order, before its answer leaves.
    std::function<void(const Request&)> on_request = {};
    // Decides before the request is counted in Pages(): 0 goes on, a status answers with it
    // instead, −1 counts the request and then drops the reply.
    std::function<int(const Request&)> act_up = {};
  };

  explicit PagerDutyStandIn(Options options);
  ~PagerDutyStandIn();

  absl::Status Start();
  void Stop();
  std::string url() const;                    // http://127.0.0.1:PORT/v2/enqueue
  std::vector<Page> Pages() const;            // in order of opening
  std::vector<Request> Requests() const;      // that passed the schema, in order
  std::vector<std::string> Rejected() const;  // reasons of 400s

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tocsin
