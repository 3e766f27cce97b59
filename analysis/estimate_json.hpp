/// Intervals as the outputs write them. Included by .cpp files only.
#pragma once

#include <string>
#include <string_view>

#include "analysis/json_text.hpp"
#include "analysis/precision.hpp"

namespace analysis {

/// "ci95": intervals of 95 %; of another confidence, which the file names, "ci".
inline std::string_view interval_key(double confidence) { return confidence == 0.95 ? "ci95" : "ci"; }

template <class Writer>
void write_interval(Writer& writer, double confidence, double low, double high) {
  key(writer, interval_key(confidence));
  writer.StartArray();
  writer.Double(low);
  writer.Double(high);
  writer.EndArray();
}

template <class Writer>
void write_estimate(Writer& writer, const Estimate& estimate, double confidence) {
  writer.StartObject();
  field(writer, "mean", estimate.mean);
  if (estimate.has_interval) write_interval(writer, confidence, estimate.low, estimate.high);
  writer.EndObject();
}

/// "confidence" and, where there was a target, "precision". `names`: of the scenarios.
template <class Writer>
void write_precision(Writer& writer, double confidence, const Precision* precision, const std::vector<std::string>& names) {
  field(writer, "confidence", confidence);
  if (precision == nullptr) return;
  key(writer, "precision");
  writer.StartObject();
  field(writer, "metric", precision->metric());
  switch (precision->statistic()) {
    case Precision::Statistic::kMean: field(writer, "statistic", "mean"); break;
    case Precision::Statistic::kShare: field(writer, "statistic", "share"); break;
    case Precision::Statistic::kQuantile: field(writer, "statistic", "quantile"); field(writer, "quantile", precision->quantile()); break;
  }
  field(writer, "target", precision->rule().params().target);
  field(writer, "relativeTo", precision->relative_to());
  field(writer, "reached", precision->rule().reached());
  field(writer, "looks", precision->rule().look());
  field(writer, "lookConfidence", precision->rule().look_confidence());
  key(writer, "intervals");
  writer.StartArray();
  for (const Precision::Side& side : precision->sides()) {
    writer.StartObject();
    field(writer, "scenario", names[side.scenario]);
    field(writer, "value", side.value.mean);
    if (side.is_constant) {
      field(writer, "othersAtMost", side.width);
    } else if (side.value.has_interval) {
      write_interval(writer, confidence, side.value.low, side.value.high);
      if (side.width < 1e300) field(writer, "width", side.width);
    }
    writer.EndObject();
  }
  writer.EndArray();
  writer.EndObject();
}

}  // namespace analysis
