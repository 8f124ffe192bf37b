// Parts of the program in files of their own, loaded when they are first asked for: what needs large
// libraries would otherwise slow down every start, and could not start at all where those are missing.
#pragma once

#include <string>

namespace crescendo {

// The address of `function` in `module`, a file beside the program or where an installation has it. Null, and
// in `why` the system's words, where there is no such file, or it or its libraries do not load. What is
// loaded stays.
void* module_function(const char* module, const char* function, std::string& why);

}  // namespace crescendo
