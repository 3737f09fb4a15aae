// The launcher for processors with AVX-512 (x86-64-v4: 2017 and later servers, 2022 and later AMD).
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#include <cstdlib>
#include <cstring>
#pragma GCC target("arch=x86-64-v4,prefer-vector-width=512")
#define OTF_HOST_LAUNCH otf_launch_v4
#include "host_launch.h"
#endif
