/// How many seats a priority level asked for: the mean, standard deviation and highest mark of a period, and what they are smoothed to over periods.
///
/// Source:     k8s.io/apiserver v0.36.3 pkg/util/flowcontrol/fairqueuing/integrator.go; apf_controller.go seatDemandStats.
/// Checked by: tests/models/kubernetes/flow_control_test.cpp, tests/differential/apf (the limits that follow from it).
#pragma once

#include "sim/core/time.hpp"

namespace sim::k8s::flow_control {

/// The time-weighted moments of a value.
class SeatDemandIntegrator {
 public:
  explicit SeatDemandIntegrator(SimTime now) : last_(now) {}
  void set(SimTime now, double value);
  struct Results {
    double duration_seconds = 0;
    double average = 0;
    double deviation = 0;
    double max = 0;
  };
  /// Of the period that ends now; the next one begins.
  Results reset(SimTime now);

 private:
  void update(SimTime now);
  SimTime last_;
  double value_ = 0;
  double elapsed_ = 0;
  double sum_ = 0;
  double square_sum_ = 0;
  double max_ = 0;
};

struct SeatDemand {
  double average = 0;
  double deviation = 0;
  int high_watermark = 0;
  double smoothed = 0;  ///< rises at once to mean + deviation, falls with a half-life of 5 min
  void update(const SeatDemandIntegrator::Results& period);
};

}  // namespace sim::k8s::flow_control
