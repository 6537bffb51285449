//! `/proc/net`: tables without rows. The network is the host's; which connections there are is not told here.

use crate::synthetic::Item;

const TCP: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode                                                     \n";
const TCP6: &str = "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
const UDP: &str = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops            \n";
const UDP6: &str = "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n";

const RAW: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n";

pub(super) const ITEMS: &[Item] = &[
    Item::fixed(
        "arp",
        "IP address       HW type     Flags       HW address            Mask     Device\n",
    ),
    Item::fixed(
        "dev",
        "Inter-|   Receive                                                |  Transmit\n face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0\n",
    ),
    Item::fixed(
        "if_inet6",
        "00000000000000000000000000000001 01 80 10 80       lo\n",
    ),
    Item::fixed(
        "route",
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT                                                       \n",
    ),
    Item::fixed("raw", RAW),
    Item::fixed("raw6", UDP6),
    Item::fixed("tcp", TCP),
    Item::fixed("tcp6", TCP6),
    Item::fixed("udp", UDP),
    Item::fixed("udp6", UDP6),
    Item::fixed("udplite", UDP),
    Item::fixed("udplite6", UDP6),
    Item::fixed(
        "unix",
        "Num       RefCount Protocol Flags    Type St Inode Path\n",
    ),
];
