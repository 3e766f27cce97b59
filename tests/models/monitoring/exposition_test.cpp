#include "sim/models/monitoring/exposition.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace sim::monitoring {
namespace {

TEST(Exposition, WritesValuesAsPrometheusDoes) {
  EXPECT_EQ(metric_value(1.0), "1");
  EXPECT_EQ(metric_value(0.25), "0.25");
  EXPECT_EQ(metric_value(17179869184.0), "17179869184");
  EXPECT_EQ(metric_value(std::numeric_limits<double>::infinity()), "+Inf");
  EXPECT_EQ(metric_value(-std::numeric_limits<double>::infinity()), "-Inf");
  EXPECT_EQ(metric_value(std::nan("")), "NaN");
}

TEST(Exposition, TypesStandBeforeTheirMetricOnce) {
  const std::vector<Exposed> series = {{"a", "", 1.0}, {"kube_pod_container_status_restarts_total", "{pod=\"x\"}", 2.0}, {"kube_pod_container_status_restarts_total", "{pod=\"y\"}", 3.0}};
  EXPECT_EQ(prometheus_text(series),
            "# TYPE a gauge\na 1\n"
            "# TYPE kube_pod_container_status_restarts_total counter\nkube_pod_container_status_restarts_total{pod=\"x\"} 2\nkube_pod_container_status_restarts_total{pod=\"y\"} 3\n");
  EXPECT_EQ(metric_type("ceph_pg_total"), "gauge");
}

}  // namespace
}  // namespace sim::monitoring
