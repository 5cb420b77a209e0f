/* The facts of each kind: names, errors, limits, and the filters that AWS documents for it. */
#include "room.h"

static const struct filter_def vpc_filters[] = {
    {"vpc-id", "VpcId"},
    {"cidr", "CidrBlock"},
    {"cidr-block-association.cidr-block", "CidrBlockAssociationSet.CidrBlock"},
    {"cidr-block-association.association-id", "CidrBlockAssociationSet.AssociationId"},
    {"cidr-block-association.state", "CidrBlockAssociationSet.CidrBlockState.State"},
    {"dhcp-options-id", "DhcpOptionsId"},
    {"is-default", "IsDefault"},
    {"isDefault", "IsDefault"},
    {"owner-id", "OwnerId"},
    {"state", "State"},
    {0},
};

static const struct filter_def subnet_filters[] = {
    {"subnet-id", "SubnetId"},
    {"subnet-arn", "SubnetArn"},
    {"vpc-id", "VpcId"},
    {"availability-zone", "AvailabilityZone"},
    {"availabilityZone", "AvailabilityZone"},
    {"availability-zone-id", "AvailabilityZoneId"},
    {"availabilityZoneId", "AvailabilityZoneId"},
    {"available-ip-address-count", "AvailableIpAddressCount"},
    {"cidr-block", "CidrBlock"},
    {"cidr", "CidrBlock"},
    {"cidrBlock", "CidrBlock"},
    {"default-for-az", "DefaultForAz"},
    {"defaultForAz", "DefaultForAz"},
    {"map-public-ip-on-launch", "MapPublicIpOnLaunch"},
    {"owner-id", "OwnerId"},
    {"state", "State"},
    {0},
};

static const struct filter_def gateway_filters[] = {
    {"internet-gateway-id", "InternetGatewayId"},
    {"attachment.vpc-id", "Attachments.VpcId"},
    {"attachment.state", "Attachments.State"},
    {"owner-id", "OwnerId"},
    {0},
};

static const struct filter_def routes_filters[] = {
    {"route-table-id", "RouteTableId"},
    {"vpc-id", "VpcId"},
    {"owner-id", "OwnerId"},
    {"association.route-table-association-id", "Associations.RouteTableAssociationId"},
    {"association.route-table-id", "Associations.RouteTableId"},
    {"association.subnet-id", "Associations.SubnetId"},
    {"association.main", "Associations.Main"},
    {"route.destination-cidr-block", "Routes.DestinationCidrBlock"},
    {"route.destination-ipv6-cidr-block", "Routes.DestinationIpv6CidrBlock"},
    {"route.gateway-id", "Routes.GatewayId"},
    {"route.instance-id", "Routes.InstanceId"},
    {"route.origin", "Routes.Origin"},
    {"route.state", "Routes.State"},
    {0},
};

static const struct filter_def acl_filters[] = {
    {"network-acl-id", "NetworkAclId"},
    {"vpc-id", "VpcId"},
    {"owner-id", "OwnerId"},
    {"default", "IsDefault"},
    {"association.association-id", "Associations.NetworkAclAssociationId"},
    {"association.network-acl-id", "Associations.NetworkAclId"},
    {"association.subnet-id", "Associations.SubnetId"},
    {"entry.cidr", "Entries.CidrBlock"},
    {"entry.ipv6-cidr", "Entries.Ipv6CidrBlock"},
    {"entry.egress", "Entries.Egress"},
    {"entry.icmp.code", "Entries.IcmpTypeCode.Code"},
    {"entry.icmp.type", "Entries.IcmpTypeCode.Type"},
    {"entry.port-range.from", "Entries.PortRange.From"},
    {"entry.port-range.to", "Entries.PortRange.To"},
    {"entry.protocol", "Entries.Protocol"},
    {"entry.rule-action", "Entries.RuleAction"},
    {"entry.rule-number", "Entries.RuleNumber"},
    {0},
};

static const struct filter_def group_filters[] = {
    {"group-id", "GroupId"},
    {"group-name", "GroupName"},
    {"description", "Description"},
    {"owner-id", "OwnerId"},
    {"vpc-id", "VpcId"},
    {"ip-permission.cidr", "IpPermissions.IpRanges.CidrIp"},
    {"ip-permission.ipv6-cidr", "IpPermissions.Ipv6Ranges.CidrIpv6"},
    {"ip-permission.from-port", "IpPermissions.FromPort"},
    {"ip-permission.to-port", "IpPermissions.ToPort"},
    {"ip-permission.protocol", "IpPermissions.IpProtocol"},
    {"ip-permission.group-id", "IpPermissions.UserIdGroupPairs.GroupId"},
    {"ip-permission.user-id", "IpPermissions.UserIdGroupPairs.UserId"},
    {"egress.ip-permission.cidr", "IpPermissionsEgress.IpRanges.CidrIp"},
    {"egress.ip-permission.ipv6-cidr", "IpPermissionsEgress.Ipv6Ranges.CidrIpv6"},
    {"egress.ip-permission.from-port", "IpPermissionsEgress.FromPort"},
    {"egress.ip-permission.to-port", "IpPermissionsEgress.ToPort"},
    {"egress.ip-permission.protocol", "IpPermissionsEgress.IpProtocol"},
    {"egress.ip-permission.group-id", "IpPermissionsEgress.UserIdGroupPairs.GroupId"},
    {"egress.ip-permission.user-id", "IpPermissionsEgress.UserIdGroupPairs.UserId"},
    {0},
};

static const struct filter_def dhcp_filters[] = {
    {"dhcp-options-id", "DhcpOptionsId"},
    {"key", "DhcpConfigurations.Key"},
    {"value", "DhcpConfigurations.Values.Value"},
    {"owner-id", "OwnerId"},
    {0},
};

static const struct filter_def address_filters[] = {
    {"allocation-id", "AllocationId"},
    {"association-id", "AssociationId"},
    {"domain", "Domain"},
    {"instance-id", "InstanceId"},
    {"network-border-group", "NetworkBorderGroup"},
    {"network-interface-id", "NetworkInterfaceId"},
    {"network-interface-owner-id", "NetworkInterfaceOwnerId"},
    {"private-ip-address", "PrivateIpAddress"},
    {"public-ip", "PublicIp"},
    {0},
};

static const struct filter_def instance_filters[] = {
    {"instance-id", "InstanceId"},
    {"image-id", "ImageId"},
    {"instance-type", "InstanceType"},
    {"instance-state-name", "State.Name"},
    {"instance-state-code", "State.Code"},
    {"availability-zone", "Placement.AvailabilityZone"},
    {"client-token", "ClientToken"},
    {"dns-name", "PublicDnsName"},
    {"group-id", "NetworkInterfaces.Groups.GroupId"},
    {"group-name", "NetworkInterfaces.Groups.GroupName"},
    {"instance.group-id", "SecurityGroups.GroupId"},
    {"instance.group-name", "SecurityGroups.GroupName"},
    {"iam-instance-profile.arn", "IamInstanceProfile.Arn"},
    {"iam-instance-profile.id", "IamInstanceProfile.Id"},
    {"ip-address", "PublicIpAddress"},
    {"launch-index", "AmiLaunchIndex"},
    {"monitoring-state", "Monitoring.State"},
    {"network-interface.network-interface-id", "NetworkInterfaces.NetworkInterfaceId"},
    {"network-interface.subnet-id", "NetworkInterfaces.SubnetId"},
    {"network-interface.vpc-id", "NetworkInterfaces.VpcId"},
    {"network-interface.group-id", "NetworkInterfaces.Groups.GroupId"},
    {"network-interface.group-name", "NetworkInterfaces.Groups.GroupName"},
    {"network-interface.private-dns-name", "NetworkInterfaces.PrivateDnsName"},
    {"network-interface.addresses.private-ip-address",
     "NetworkInterfaces.PrivateIpAddresses.PrivateIpAddress"},
    {"owner-id", "NetworkInterfaces.OwnerId"},
    {"private-dns-name", "PrivateDnsName"},
    {"private-ip-address", "PrivateIpAddress"},
    {"reservation-id", "reservation"},
    {"source-dest-check", "SourceDestCheck"},
    {"state-reason-code", "StateReason.Code"},
    {"subnet-id", "SubnetId"},
    {"tenancy", "Placement.Tenancy"},
    {"vpc-id", "VpcId"},
    {0},
};

const struct kind_facts ec2_kinds[K_COUNT] = {
    [K_VPC] = {"vpc-", "ec2.vpc", "vpc", "VpcId", "AWS::EC2::VPC", "InvalidVpcID.NotFound",
               "The vpc ID '%.*s' does not exist", NULL, EC2_VPCS_MAX, "VpcLimitExceeded",
               vpc_filters, NULL},
    [K_SUBNET] = {"subnet-", "ec2.subnet", "subnet", "SubnetId", "AWS::EC2::Subnet",
                  "InvalidSubnetID.NotFound", "The subnet ID '%.*s' does not exist", NULL,
                  EC2_SUBNETS_MAX, "SubnetLimitExceeded", subnet_filters, NULL},
    [K_GATEWAY] = {"igw-", "ec2.gateway", "internet-gateway", "InternetGatewayId",
                   "AWS::EC2::InternetGateway", "InvalidInternetGatewayID.NotFound",
                   "The internetGateway ID '%.*s' does not exist", NULL, EC2_GATEWAYS_MAX,
                   "InternetGatewayLimitExceeded", gateway_filters, NULL},
    [K_ROUTES] = {"rtb-", "ec2.routes", "route-table", "RouteTableId", "AWS::EC2::RouteTable",
                  "InvalidRouteTableID.NotFound", "The routeTable ID '%.*s' does not exist",
                  "InvalidRouteTableId.Malformed", EC2_ROUTE_TABLES_MAX, "RouteTableLimitExceeded",
                  routes_filters, NULL},
    [K_ACL] = {"acl-", "ec2.acl", "network-acl", "NetworkAclId", "AWS::EC2::NetworkAcl",
               "InvalidNetworkAclID.NotFound", "The networkAcl ID '%.*s' does not exist",
               "InvalidNetworkAclId.Malformed", EC2_ACLS_MAX, "NetworkAclLimitExceeded",
               acl_filters, NULL},
    [K_GROUP] = {"sg-", "ec2.group", "security-group", "GroupId", "AWS::EC2::SecurityGroup",
                 "InvalidGroup.NotFound", "The security group '%.*s' does not exist",
                 "InvalidGroupId.Malformed", EC2_GROUPS_MAX, "SecurityGroupLimitExceeded",
                 group_filters, derive_group},
    [K_DHCP] = {"dopt-", "ec2.dhcp", "dhcp-options", "DhcpOptionsId", "AWS::EC2::DHCPOptions",
                "InvalidDhcpOptionID.NotFound", "The dhcpOption ID '%.*s' does not exist",
                "InvalidDhcpOptionsId.Malformed", EC2_DHCP_MAX, "DhcpOptionsLimitExceeded",
                dhcp_filters, NULL},
    [K_ADDRESS] = {"eipalloc-", "ec2.address", "elastic-ip", "AllocationId", "AWS::EC2::EIP",
                   "InvalidAllocationID.NotFound", "The allocation ID '%.*s' does not exist", NULL,
                   EC2_ADDRESSES_MAX, "AddressLimitExceeded", address_filters, NULL},
    [K_INSTANCE] = {"i-", "ec2.instance", "instance", "InstanceId", "AWS::EC2::Instance",
                    "InvalidInstanceID.NotFound", "The instance ID '%.*s' does not exist",
                    "InvalidInstanceID.Malformed", EC2_INSTANCES_MAX, "InstanceLimitExceeded",
                    instance_filters, derive_instance},
    [K_RULE] = {"sgr-", NULL, "security-group-rule", "SecurityGroupRuleId",
                "AWS::EC2::SecurityGroupRule", "InvalidSecurityGroupRuleId.NotFound",
                "The security group rule ID '%.*s' does not exist",
                "InvalidSecurityGroupRuleId.Malformed", 0, NULL, NULL, NULL},
    [K_IMAGE] = {"ami-", NULL, "image", "ImageId", NULL, "InvalidAMIID.NotFound",
                 "The image id '[%.*s]' does not exist", NULL, 0, NULL, NULL, NULL},
    [K_INTERFACE] = {"eni-", NULL, "network-interface", "NetworkInterfaceId",
                     "AWS::EC2::NetworkInterface", "InvalidNetworkInterfaceID.NotFound",
                     "The networkInterface ID '%.*s' does not exist", NULL, 0, NULL, NULL, NULL},
};

/* "prefix-" and small letters and digits; AWS's ids are hexadecimal, and a wrong letter is merely
 * an id that does not exist. */
enum kind kind_of_id(struct str id)
{
    for (enum kind k = K_VPC; k < K_COUNT; k++)
        if (str_starts_c(id, ec2_kinds[k].prefix) && id.n > strlen(ec2_kinds[k].prefix) &&
            id.n <= EC2_ID_TEXT_MAX)
            return k;
    return K_NONE;
}

enum kind kind_of_type(struct str type)
{
    for (enum kind k = K_VPC; k < K_COUNT; k++)
        if (str_is(type, ec2_kinds[k].type))
            return k;
    return K_NONE;
}
