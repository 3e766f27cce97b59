/// StatusCheck: asks a Service of the cluster whether it answers, again and again.
#pragma once

#include "chaos/mesh/cluster.hpp"
#include "chaos/mesh/resource.hpp"

namespace chaos::mesh {

struct HttpCheck {
  sim::scenario::Place where;
  std::string url;
  std::string method = "GET";
  std::pair<int, int> codes{200, 200};
  std::string service;    // of the URL
  std::string ns;         // empty: the check's own
};

struct StatusCheckSpec final : Spec {
  bool is_continuous = false;
  std::string type = "HTTP";
  std::optional<GoDuration> duration;
  std::int64_t timeout_seconds = 1;
  std::int64_t interval_seconds = 10;
  std::int64_t failure_threshold = 3;
  std::int64_t success_threshold = 1;
  std::optional<HttpCheck> http;

  void check(CheckContext& context) const override;
};

void describe(Fields<HttpCheck>& fields);
void describe(Fields<StatusCheckSpec>& fields);

class StatusCheckObject final : public Object {
 public:
  StatusCheckObject(Cluster& cluster, std::shared_ptr<const StatusCheckSpec> spec, const Meta& meta);
  void start() override;
  bool is_finished() const override { return is_done_ || is_deleted_; }
  bool has_failed() const { return has_failed_; }
  ObjectView view() const override;

 private:
  bool answers() const;
  void look();
  void done(bool failed, std::string_view reason);
  void removed() override { timer_.cancel(); }

  std::shared_ptr<const StatusCheckSpec> spec_;
  sim::Timer timer_;
  std::int64_t successes_ = 0, failures_ = 0;
  bool is_done_ = false;
  bool has_failed_ = false;
  bool is_told_ = false;
};

}  // namespace chaos::mesh
