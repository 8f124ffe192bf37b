// Exit codes of workers that leave.
#pragma once

namespace crescendo::mpi {

constexpr int kTryAgain = 75;  // EX_TEMPFAIL of sysexits.h: the run can be continued

}  // namespace crescendo::mpi
