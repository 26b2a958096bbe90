// What the HTTP API answers from: the parts of the program, as functions that may be called by the
// server's thread at any time.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/delivery.h"
#include "core/hash.h"
#include "core/operator_action.h"
#include "core/time.h"
#include "service/incident_book.h"
#include "transport/host_policy.h"

namespace tocsin {

struct ApiContext {
  const IncidentBook* incidents = nullptr;
  std::function<std::vector<Silence>()> silences;  // that people asked for
  std::vector<Silence> planned = {};               // the configuration's
  // ResourceExhausted when too many wait; Unavailable when nothing is read any more.
  std::function<absl::Status(const OperatorAction&)> submit;
  std::function<TimeUs()> now;                                           // wall clock
  std::function<std::vector<Delivery>(const Hash128&)> deliveries = {};  // of an incident
  std::function<absl::StatusOr<std::size_t>(const Hash128&)> retry_parked = {};
  std::function<std::string()> status = {};         // api/status_json.h
  std::string token;                                // empty: there is none
  bool token_required = false;                      // for acts; REQUIRES: there is one
  bool loopback = true;                             // only this machine can reach us
  std::vector<std::string> pagerduty_secrets = {};  // empty: its webhooks are refused
  const HostPolicy* host_policy = nullptr;          // null: any page may ask
};

}  // namespace tocsin
