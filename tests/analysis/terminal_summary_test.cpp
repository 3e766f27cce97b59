// What a person reads first: many things that went at once are one line, and so is one thing that went again and again.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "analysis/run_report.hpp"

namespace analysis {
namespace {

using namespace std::chrono_literals;
using chaos::Outage;
using chaos::OutageKind;
using chaos::Severity;
using sim::SimTime;

Outage outage(OutageKind kind, Severity severity, std::string subject, SimTime start, sim::SimDuration length) {
  Outage one;
  one.kind = kind;
  one.severity = severity;
  one.subject = std::move(subject);
  one.start = start;
  one.end = start + length;
  return one;
}
std::string text(const chaos::RunOutcome& outcome) {
  RunReport report;
  report.scenario = "s";
  report.outcome = &outcome;
  return terminal_summary(report, false, 120);
}
std::size_t count(const std::string& text, std::string_view part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

TEST(TerminalSummary, OutagesOfManyThingsAtOnceAreOneLine) {
  chaos::RunOutcome outcome;
  for (int i = 0; i < 40; ++i) outcome.verdict.outages.push_back(outage(OutageKind::kNodeDown, Severity::kNotice, fmt::format("Node/w{}", i), SimTime(1h), 30min));
  outcome.verdict.outages.push_back(outage(OutageKind::kRegistryDown, Severity::kNotice, "Registry/harbor.example", SimTime(1h), 20min));
  const std::string said = text(outcome);
  EXPECT_EQ(count(said, "node-down"), 1u) << said;
  EXPECT_NE(said.find("Node/w0 node-down and 39 more"), std::string::npos) << said;
  EXPECT_NE(said.find("registry-down"), std::string::npos) << said;
}

TEST(TerminalSummary, WhatFlapsIsOneLine) {
  chaos::RunOutcome outcome;
  for (int i = 0; i < 3; ++i) outcome.verdict.outages.push_back(outage(OutageKind::kServiceDown, Severity::kAlert, "Service/shop/db", SimTime(1h + i * 10min), (i + 1) * 1min));
  const std::string said = text(outcome);
  EXPECT_EQ(count(said, "service-down"), 1u) << said;
  EXPECT_NE(said.find("Service/shop/db service-down, 3 times, 6m in all"), std::string::npos) << said;
  EXPECT_NE(said.find("1h 20m"), std::string::npos) << "the worst of them: " << said;
}

TEST(TerminalSummary, AMessageIsOneLineHoweverManyAlertsItHas) {
  chaos::RunOutcome outcome;
  outcome.verdict.monitored = true;
  for (int i = 0; i < 50; ++i) {
    chaos::ToldNote note;
    note.at = SimTime(1h);
    note.by = "KubeletInstanceUnreachable";
    note.subject = fmt::format("KubeletInstanceUnreachable{{instance=\"w{}\"}}", i);
    note.receiver = "tickets";
    outcome.verdict.notifications.push_back(note);
  }
  chaos::ToldNote other;
  other.at = SimTime(2h);
  other.by = other.subject = "TargetDown";
  other.receiver = "tickets";
  outcome.verdict.notifications.push_back(other);
  const std::string said = text(outcome);
  EXPECT_EQ(count(said, "KubeletInstanceUnreachable"), 1u) << said;
  EXPECT_NE(said.find("and 49 more"), std::string::npos) << said;
  EXPECT_NE(said.find("TargetDown"), std::string::npos) << said;
  EXPECT_EQ(said.find("in summary.json"), std::string::npos) << said;
}

}  // namespace
}  // namespace analysis
