// The launcher for processors with AVX2 and FMA (x86-64-v3: 2013 and later).
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#include <cstdlib>
#include <cstring>
#pragma GCC target("arch=x86-64-v3")
#define OTF_HOST_LAUNCH otf_launch_v3
#include "host_launch.h"
#endif
