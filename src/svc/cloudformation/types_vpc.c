/* AWS::EC2::*, the network:
 * https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_EC2.html */
#include "types.h"

#define TAG_SPEC(kind)                                                                             \
    "\"TagSpecifications\":[{\"ResourceType\":\"" kind "\",\"Tags!\":\"$p.Tags\"}]"
#define TAG_STEPS(id)                                                                              \
    {.on = ON_GONE, .each = "Tags", .key = "Key", .room = "ec2", .op = "DeleteTags",               \
     .in = "{\"Resources\":[\"" id "\"],\"Tags\":[{\"Key\":\"$e.Key\"}]}"},                        \
    {.on = ON_UPDATE, .when = "Tags", .room = "ec2", .op = "CreateTags",                           \
     .in = "{\"Resources\":[\"" id "\"],\"Tags\":\"$p.Tags\"}"}

/* -- VPC and subnets --------------------------------------------------------------------------- */

static const struct prop vpc_props[] = {
    {"CidrBlock", P_STR, P_REPLACE, NULL},
    {"EnableDnsHostnames", P_BOOL, 0, NULL},
    {"EnableDnsSupport", P_BOOL, 0, NULL},
    {"InstanceTenancy", P_STR, P_REPLACE, NULL},
    {"Tags", P_TAGS, 0, NULL},
    {0},
};

static const struct step vpc_steps[] = {
    {.on = ON_CREATE, .room = "ec2", .op = "CreateVpc",
     .in = "{\"CidrBlock\":\"$p.CidrBlock\",\"InstanceTenancy\":\"$p.InstanceTenancy\","
           TAG_SPEC("vpc") "}",
     .save = "Vpc.VpcId=@id"},
    {.on = ON_CREATE | ON_UPDATE, .when = "EnableDnsSupport", .room = "ec2",
     .op = "ModifyVpcAttribute",
     .in = "{\"VpcId\":\"$id\",\"EnableDnsSupport\":{\"Value\":\"$p.EnableDnsSupport\"}}"},
    {.on = ON_CREATE | ON_UPDATE, .when = "EnableDnsHostnames", .room = "ec2",
     .op = "ModifyVpcAttribute",
     .in = "{\"VpcId\":\"$id\",\"EnableDnsHostnames\":{\"Value\":\"$p.EnableDnsHostnames\"}}"},
    {.on = ON_CREATE, .room = "ec2", .op = "DescribeSecurityGroups",
     .in = "{\"Filters\":[{\"Name\":\"vpc-id\",\"Values\":[\"$id\"]},"
           "{\"Name\":\"group-name\",\"Values\":[\"default\"]}]}",
     .save = "SecurityGroups.0.GroupId=DefaultSecurityGroup", .ignore = "*"},
    {.on = ON_CREATE, .room = "ec2", .op = "DescribeNetworkAcls",
     .in = "{\"Filters\":[{\"Name\":\"vpc-id\",\"Values\":[\"$id\"]},"
           "{\"Name\":\"default\",\"Values\":[\"true\"]}]}",
     .save = "NetworkAcls.0.NetworkAclId=DefaultNetworkAcl", .ignore = "*"},
    TAG_STEPS("$id"),
    {.on = ON_DELETE, .room = "ec2", .op = "DeleteVpc", .in = "{\"VpcId\":\"$id\"}",
     .ignore = "InvalidVpcID.NotFound"},
    {0},
};

static const struct attribute vpc_attributes[] = {
    {"VpcId", "$id"},
    {"CidrBlock", "$p.CidrBlock"},
    {"DefaultSecurityGroup", "$a.DefaultSecurityGroup"},
    {"DefaultNetworkAcl", "$a.DefaultNetworkAcl"},
    {0},
};

static const struct rtype vpc = {.name = "AWS::EC2::VPC", .props = vpc_props, .steps = vpc_steps,
                                 .attributes = vpc_attributes};

static const struct prop subnet_props[] = {
    {"AvailabilityZone", P_STR, P_REPLACE, NULL},
    {"CidrBlock", P_STR, P_REPLACE, NULL},
    {"MapPublicIpOnLaunch", P_BOOL, 0, NULL},
    {"Tags", P_TAGS, 0, NULL},
    {"VpcId", P_STR, P_REQUIRED | P_REPLACE, NULL},
    {0},
};

static const struct step subnet_steps[] = {
    {.on = ON_CREATE, .room = "ec2", .op = "CreateSubnet",
     .in = "{\"VpcId\":\"$p.VpcId\",\"CidrBlock\":\"$p.CidrBlock\","
           "\"AvailabilityZone\":\"$p.AvailabilityZone\"," TAG_SPEC("subnet") "}",
     .save = "Subnet.SubnetId=@id;Subnet.AvailabilityZone=AvailabilityZone"},
    {.on = ON_CREATE | ON_UPDATE | ON_GONE, .when = "MapPublicIpOnLaunch", .room = "ec2",
     .op = "ModifySubnetAttribute",
     .in = "{\"SubnetId\":\"$id\",\"MapPublicIpOnLaunch\":"
           "{\"Value\":\"$p.MapPublicIpOnLaunch|false\"}}"},
    TAG_STEPS("$id"),
    {.on = ON_DELETE, .room = "ec2", .op = "DeleteSubnet", .in = "{\"SubnetId\":\"$id\"}",
     .ignore = "InvalidSubnetID.NotFound"},
    {0},
};

static const struct attribute subnet_attributes[] = {{"SubnetId", "$id"},
                                                     {"VpcId", "$p.VpcId"},
                                                     {"CidrBlock", "$p.CidrBlock"},
                                                     {"AvailabilityZone", "$a.AvailabilityZone"},
                                                     {0}};

static const struct rtype subnet = {.name = "AWS::EC2::Subnet", .props = subnet_props,
                                    .steps = subnet_steps, .attributes = subnet_attributes};

/* -- gateways and routes ----------------------------------------------------------------------- */

static const struct prop tags_only[] = {{"Tags", P_TAGS, 0, NULL}, {0}};

static const struct step gateway_steps[] = {
    {.on = ON_CREATE, .room = "ec2", .op = "CreateInternetGateway",
     .in = "{" TAG_SPEC("internet-gateway") "}", .save = "InternetGateway.InternetGatewayId=@id"},
    TAG_STEPS("$id"),
    {.on = ON_DELETE, .room = "ec2", .op = "DeleteInternetGateway",
     .in = "{\"InternetGatewayId\":\"$id\"}", .ignore = "InvalidInternetGatewayID.NotFound"},
    {0},
};

static const struct attribute gateway_attributes[] = {{"InternetGatewayId", "$id"}, {0}};

static const struct rtype gateway = {.name = "AWS::EC2::InternetGateway", .props = tags_only,
                                     .steps = gateway_steps, .attributes = gateway_attributes};

static const struct prop attachment_props[] = {
    {"InternetGatewayId", P_STR, P_REQUIRED | P_REPLACE, NULL},
    {"VpcId", P_STR, P_REQUIRED | P_REPLACE, NULL},
    {0},
};

static const struct step attachment_steps[] = {
    {.on = ON_CREATE, .room = "ec2", .op = "AttachInternetGateway",
     .in = "{\"InternetGatewayId\":\"$p.InternetGatewayId\",\"VpcId\":\"$p.VpcId\"}",
     .save = "=IGW|<p.VpcId>=@id", .exists = "Resource.AlreadyAssociated"},
    {.on = ON_ADOPT, .save = "=IGW|<p.VpcId>=@id"},
    {.on = ON_DELETE, .room = "ec2", .op = "DetachInternetGateway",
     .in = "{\"InternetGatewayId\":\"$p.InternetGatewayId\",\"VpcId\":\"$p.VpcId\"}",
     .ignore = "Gateway.NotAttached InvalidInternetGatewayID.NotFound"},
    {0},
};

static const struct rtype attachment = {.name = "AWS::EC2::VPCGatewayAttachment",
                                        .props = attachment_props, .steps = attachment_steps};

static const struct prop table_props[] = {
    {"Tags", P_TAGS, 0, NULL}, {"VpcId", P_STR, P_REQUIRED | P_REPLACE, NULL}, {0}};

static const struct step table_steps[] = {
    {.on = ON_CREATE, .room = "ec2", .op = "CreateRouteTable",
     .in = "{\"VpcId\":\"$p.VpcId\",\"ClientToken\":\"$token\"," TAG_SPEC("route-table") "}",
     .save = "RouteTable.RouteTableId=@id"},
    TAG_STEPS("$id"),
    {.on = ON_DELETE, .room = "ec2", .op = "DeleteRouteTable", .in = "{\"RouteTableId\":\"$id\"}",
     .ignore = "InvalidRouteTableID.NotFound"},
    {0},
};

static const struct attribute table_attributes[] = {{"RouteTableId", "$id"}, {0}};

static const struct rtype table = {.name = "AWS::EC2::RouteTable", .props = table_props,
                                   .steps = table_steps, .attributes = table_attributes};

static const struct prop route_props[] = {
    {"DestinationCidrBlock", P_STR, P_REPLACE, NULL},
    {"DestinationIpv6CidrBlock", P_STR, P_REPLACE, NULL},
    {"GatewayId", P_STR, 0, NULL},
    {"InstanceId", P_STR, 0, NULL},
    {"NatGatewayId", P_STR, 0, NULL},
    {"NetworkInterfaceId", P_STR, 0, NULL},
    {"RouteTableId", P_STR, P_REQUIRED | P_REPLACE, NULL},
    {"VpcPeeringConnectionId", P_STR, 0, NULL},
    {0},
};

#define ROUTE_KEY                                                                                  \
    "\"RouteTableId\":\"$p.RouteTableId\",\"DestinationCidrBlock\":\"$p.DestinationCidrBlock\","   \
    "\"DestinationIpv6CidrBlock\":\"$p.DestinationIpv6CidrBlock\""
#define ROUTE_TARGET                                                                               \
    ",\"GatewayId\":\"$p.GatewayId\",\"InstanceId\":\"$p.InstanceId\","                            \
    "\"NatGatewayId\":\"$p.NatGatewayId\",\"NetworkInterfaceId\":\"$p.NetworkInterfaceId\","       \
    "\"VpcPeeringConnectionId\":\"$p.VpcPeeringConnectionId\""
#define ROUTE_ID "=<p.RouteTableId>|<p.DestinationCidrBlock|><p.DestinationIpv6CidrBlock|>=@id"

static const struct step route_steps[] = {
    {.on = ON_CREATE, .room = "ec2", .op = "CreateRoute", .in = "{" ROUTE_KEY ROUTE_TARGET "}",
     .save = ROUTE_ID, .exists = "RouteAlreadyExists"},
    {.on = ON_ADOPT, .save = ROUTE_ID},
    {.on = ON_UPDATE | ON_GONE,
     .when = "GatewayId InstanceId NatGatewayId NetworkInterfaceId VpcPeeringConnectionId",
     .room = "ec2", .op = "ReplaceRoute", .in = "{" ROUTE_KEY ROUTE_TARGET "}"},
    {.on = ON_DELETE, .room = "ec2", .op = "DeleteRoute", .in = "{" ROUTE_KEY "}",
     .ignore = "InvalidRoute.NotFound InvalidRouteTableID.NotFound"},
    {0},
};

static const struct attribute route_attributes[] = {
    {"CidrBlock", "=<p.DestinationCidrBlock|><p.DestinationIpv6CidrBlock|>"}, {0}};

static const struct rtype route = {.name = "AWS::EC2::Route", .props = route_props,
                                   .steps = route_steps, .attributes = route_attributes};

static const struct prop table_association_props[] = {
    {"RouteTableId", P_STR, P_REQUIRED, NULL}, /* the id changes with it */
    {"SubnetId", P_STR, P_REQUIRED | P_REPLACE, NULL},
    {0},
};

static const struct step table_association_steps[] = {
    {.on = ON_CREATE, .room = "ec2", .op = "AssociateRouteTable",
     .in = "{\"RouteTableId\":\"$p.RouteTableId\",\"SubnetId\":\"$p.SubnetId\"}",
     .save = "AssociationId=@id"},
    {.on = ON_UPDATE, .when = "RouteTableId", .room = "ec2", .op = "DescribeRouteTables",
     .in = "{\"Filters\":[{\"Name\":\"association.subnet-id\",\"Values\":[\"$p.SubnetId\"]}]}",
     .save = "RouteTables.0.Associations.?SubnetId.RouteTableAssociationId=@id"},
    {.on = ON_UPDATE, .when = "RouteTableId", .room = "ec2", .op = "ReplaceRouteTableAssociation",
     .in = "{\"AssociationId\":\"$id\",\"RouteTableId\":\"$p.RouteTableId\"}",
     .save = "NewAssociationId=@id"},
    {.on = ON_DELETE, .room = "ec2", .op = "DisassociateRouteTable",
     .in = "{\"AssociationId\":\"$id\"}", .ignore = "InvalidAssociationID.NotFound"},
    {0},
};

static const struct attribute id_attribute[] = {{"Id", "$id"}, {0}};

static const struct rtype table_association = {.name = "AWS::EC2::SubnetRouteTableAssociation",
                                               .props = table_association_props,
                                               .steps = table_association_steps,
                                               .attributes = id_attribute};

/* -- network ACLs ------------------------------------------------------------------------------ */

static const struct step acl_steps[] = {
    {.on = ON_CREATE, .room = "ec2", .op = "CreateNetworkAcl",
     .in = "{\"VpcId\":\"$p.VpcId\",\"ClientToken\":\"$token\"," TAG_SPEC("network-acl") "}",
     .save = "NetworkAcl.NetworkAclId=@id"},
    TAG_STEPS("$id"),
    {.on = ON_DELETE, .room = "ec2", .op = "DeleteNetworkAcl", .in = "{\"NetworkAclId\":\"$id\"}",
     .ignore = "InvalidNetworkAclID.NotFound"},
    {0},
};

static const struct rtype acl = {.name = "AWS::EC2::NetworkAcl", .props = table_props,
                                 .steps = acl_steps, .attributes = id_attribute};

static const struct prop entry_props[] = {
    {"CidrBlock", P_STR, 0, NULL},
    {"Egress", P_BOOL, P_REPLACE, NULL},
    {"Icmp", P_OBJ, 0, NULL},
    {"Ipv6CidrBlock", P_STR, 0, NULL},
    {"NetworkAclId", P_STR, P_REQUIRED | P_REPLACE, NULL},
    {"PortRange", P_OBJ, 0, NULL},
    {"Protocol", P_INT, P_REQUIRED, NULL},
    {"RuleAction", P_STR, P_REQUIRED, NULL},
    {"RuleNumber", P_INT, P_REQUIRED | P_REPLACE, NULL},
    {0},
};

#define ENTRY_KEY                                                                                  \
    "\"NetworkAclId\":\"$p.NetworkAclId\",\"RuleNumber\":\"$p.RuleNumber\","                       \
    "\"Egress\":\"$p.Egress|false\""
#define ENTRY                                                                                      \
    "{" ENTRY_KEY ",\"CidrBlock\":\"$p.CidrBlock\",\"Ipv6CidrBlock\":\"$p.Ipv6CidrBlock\","        \
    "\"IcmpTypeCode\":\"$p.Icmp\",\"PortRange\":\"$p.PortRange\",\"Protocol\":\"$p.Protocol\","    \
    "\"RuleAction\":\"$p.RuleAction\"}"

static const struct step entry_steps[] = {
    {.on = ON_CREATE, .room = "ec2", .op = "CreateNetworkAclEntry", .in = ENTRY,
     .exists = "NetworkAclEntryAlreadyExists"},
    {.on = ON_UPDATE | ON_GONE,
     .when = "CidrBlock Icmp Ipv6CidrBlock PortRange Protocol RuleAction", .room = "ec2",
     .op = "ReplaceNetworkAclEntry", .in = ENTRY},
    {.on = ON_DELETE, .room = "ec2", .op = "DeleteNetworkAclEntry", .in = "{" ENTRY_KEY "}",
     .ignore = "InvalidNetworkAclEntry.NotFound InvalidNetworkAclID.NotFound"},
    {0},
};

static const struct rtype entry = {.name = "AWS::EC2::NetworkAclEntry", .props = entry_props,
                                   .steps = entry_steps, .attributes = id_attribute,
                                   .name_style = NAME_ANY, .name_max = 128};

static const struct prop acl_association_props[] = {
    {"NetworkAclId", P_STR, P_REQUIRED, NULL}, /* the id changes with it */
    {"SubnetId", P_STR, P_REQUIRED | P_REPLACE, NULL},
    {0},
};

/* A subnet always has an ACL: the association is replaced, at the end by the VPC's default one
 * (unless somebody has put another one in its place meanwhile). */
static const struct step acl_association_steps[] = {
    {.on = ON_CREATE | ON_UPDATE, .when = "NetworkAclId", .room = "ec2",
     .op = "DescribeNetworkAcls",
     .in = "{\"Filters\":[{\"Name\":\"association.subnet-id\",\"Values\":[\"$p.SubnetId\"]}]}",
     .save = "NetworkAcls.0.Associations.?SubnetId.NetworkAclAssociationId=Former"},
    {.on = ON_CREATE | ON_UPDATE, .when = "NetworkAclId", .room = "ec2",
     .op = "ReplaceNetworkAclAssociation",
     .in = "{\"AssociationId\":\"$a.Former\",\"NetworkAclId\":\"$p.NetworkAclId\"}",
     .save = "NewAssociationId=@id"},
    {.on = ON_DELETE, .room = "ec2", .op = "DescribeNetworkAcls",
     .in = "{\"Filters\":[{\"Name\":\"association.subnet-id\",\"Values\":[\"$p.SubnetId\"]},"
           "{\"Name\":\"network-acl-id\",\"Values\":[\"$p.NetworkAclId\"]}]}",
     .save = "NetworkAcls.0.Associations.?SubnetId.NetworkAclAssociationId=Last;"
             "NetworkAcls.0.VpcId=VpcId"},
    {.on = ON_DELETE, .test = "@Last", .room = "ec2", .op = "DescribeNetworkAcls",
     .in = "{\"Filters\":[{\"Name\":\"vpc-id\",\"Values\":[\"$a.VpcId\"]},"
           "{\"Name\":\"default\",\"Values\":[\"true\"]}]}",
     .save = "NetworkAcls.0.NetworkAclId=DefaultAcl"},
    {.on = ON_DELETE, .test = "@DefaultAcl", .room = "ec2", .op = "ReplaceNetworkAclAssociation",
     .in = "{\"AssociationId\":\"$a.Last\",\"NetworkAclId\":\"$a.DefaultAcl\"}",
     .ignore = "InvalidAssociationID.NotFound InvalidNetworkAclID.NotFound"},
    {0},
};

static const struct attribute acl_association_attributes[] = {{"AssociationId", "$id"}, {0}};

static const struct rtype acl_association = {.name = "AWS::EC2::SubnetNetworkAclAssociation",
                                             .props = acl_association_props,
                                             .steps = acl_association_steps,
                                             .attributes = acl_association_attributes};

/* -- DHCP options ------------------------------------------------------------------------------ */

static const struct prop dhcp_props[] = {
    {"DomainName", P_STR, P_REPLACE, NULL},
    {"DomainNameServers", P_LIST, P_REPLACE, NULL},
    {"NetbiosNameServers", P_LIST, P_REPLACE, NULL},
    {"NetbiosNodeType", P_STR, P_REPLACE, NULL},
    {"NtpServers", P_LIST, P_REPLACE, NULL},
    {"Tags", P_TAGS, 0, NULL},
    {0},
};

static const struct step dhcp_steps[] = {
    {.on = ON_CREATE, .room = "ec2", .op = "CreateDhcpOptions",
     .in = "{\"DhcpConfigurations\":["
           "{\"Key\":\"domain-name\",\"Values!\":[\"$p.DomainName\"]},"
           "{\"Key\":\"domain-name-servers\",\"Values!\":\"$p.DomainNameServers\"},"
           "{\"Key\":\"netbios-name-servers\",\"Values!\":\"$p.NetbiosNameServers\"},"
           "{\"Key\":\"netbios-node-type\",\"Values!\":[\"$p.NetbiosNodeType\"]},"
           "{\"Key\":\"ntp-servers\",\"Values!\":\"$p.NtpServers\"}]," TAG_SPEC("dhcp-options") "}",
     .save = "DhcpOptions.DhcpOptionsId=@id"},
    TAG_STEPS("$id"),
    {.on = ON_DELETE, .room = "ec2", .op = "DeleteDhcpOptions",
     .in = "{\"DhcpOptionsId\":\"$id\"}", .ignore = "InvalidDhcpOptionID.NotFound"},
    {0},
};

static const struct attribute dhcp_attributes[] = {{"DhcpOptionsId", "$id"}, {0}};

static const struct rtype dhcp = {.name = "AWS::EC2::DHCPOptions", .props = dhcp_props,
                                  .steps = dhcp_steps, .attributes = dhcp_attributes};

static const struct prop dhcp_association_props[] = {
    {"DhcpOptionsId", P_STR, P_REQUIRED, NULL},
    {"VpcId", P_STR, P_REQUIRED | P_REPLACE, NULL},
    {0},
};

static const struct step dhcp_association_steps[] = {
    {.on = ON_CREATE | ON_UPDATE, .when = "DhcpOptionsId", .room = "ec2",
     .op = "AssociateDhcpOptions",
     .in = "{\"DhcpOptionsId\":\"$p.DhcpOptionsId\",\"VpcId\":\"$p.VpcId\"}"},
    {.on = ON_DELETE, .room = "ec2", .op = "AssociateDhcpOptions",
     .in = "{\"DhcpOptionsId\":\"default\",\"VpcId\":\"$p.VpcId\"}",
     .ignore = "InvalidVpcID.NotFound"},
    {0},
};

static const struct rtype dhcp_association = {.name = "AWS::EC2::VPCDHCPOptionsAssociation",
                                              .props = dhcp_association_props,
                                              .steps = dhcp_association_steps,
                                              .name_style = NAME_ANY, .name_max = 128};

const struct rtype *const types_vpc[] = {
    &vpc,   &subnet, &gateway, &attachment,      &table, &route, &table_association,
    &acl,   &entry,  &acl_association, &dhcp, &dhcp_association, NULL};
