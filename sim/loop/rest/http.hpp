/// A request and its answer, without a socket: the API is a function from one to the other.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sim::loop {

class WatchSession;

struct Request {
  std::string method;
  std::string path;   // decoded
  std::vector<std::pair<std::string, std::string>> query;  // decoded
  std::string accept;
  std::string content_type;
  std::string user_agent;
  std::string if_none_match;
  std::string body;
  // Who asks, as authentication found out.
  std::string user = "kubernetes-admin";
  std::vector<std::string> groups = {"system:masters", "system:authenticated"};

  /// The parameter; empty when there is none.
  std::string_view parameter(std::string_view name) const;
  bool has_parameter(std::string_view name) const;
  /// "true" and "1", and a parameter without a value.
  bool is_set(std::string_view name) const;
};

struct Response {
  int code = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  /// A stream that goes on: frames come through it until its time is over.
  std::unique_ptr<WatchSession> watch;
  bool is_stream = false;            // the body is open-ended: frames follow
  std::int64_t timeout_seconds = 0;  // of the stream
};

/// Splits "path?query" and decodes both. False when an escape is broken.
bool read_target(std::string_view target, Request& request);

}  // namespace sim::loop
