// FPGA cells as LUTs, gates and flip-flops that Lockstep's Verilog reader understands.
// What the user's own files define goes first.

module LUT1(input I0, output O);
  parameter [1:0] INIT = 0;
  \$lut #(.WIDTH(1), .LUT(INIT)) lut (.A(I0), .Y(O));
endmodule

module LUT2(input I0, I1, output O);
  parameter [3:0] INIT = 0;
  \$lut #(.WIDTH(2), .LUT(INIT)) lut (.A({I1, I0}), .Y(O));
endmodule

module LUT3(input I0, I1, I2, output O);
  parameter [7:0] INIT = 0;
  \$lut #(.WIDTH(3), .LUT(INIT)) lut (.A({I2, I1, I0}), .Y(O));
endmodule

// Two makers' cells of one name, told apart by the ports that are connected.
module LUT4(input I0, I1, I2, I3, output O, input A, B, C, D, output Z);
  parameter [15:0] INIT = 0;
  \$lut #(.WIDTH(4), .LUT(INIT)) lut (.A({I3, I2, I1, I0}), .Y(O));
  \$lut #(.WIDTH(4), .LUT(INIT)) ecp5 (.A({D, C, B, A}), .Y(Z));
endmodule

module LUT5(input I0, I1, I2, I3, I4, output O);
  parameter [31:0] INIT = 0;
  \$lut #(.WIDTH(5), .LUT(INIT)) lut (.A({I4, I3, I2, I1, I0}), .Y(O));
endmodule

module LUT6(input I0, I1, I2, I3, I4, I5, output O);
  parameter [63:0] INIT = 0;
  \$lut #(.WIDTH(6), .LUT(INIT)) lut (.A({I5, I4, I3, I2, I1, I0}), .Y(O));
endmodule

module LUT6_2(input I0, I1, I2, I3, I4, I5, output O5, O6);
  parameter [63:0] INIT = 0;
  \$lut #(.WIDTH(5), .LUT(INIT[31:0])) low (.A({I4, I3, I2, I1, I0}), .Y(O5));
  \$lut #(.WIDTH(6), .LUT(INIT)) all (.A({I5, I4, I3, I2, I1, I0}), .Y(O6));
endmodule

module SB_LUT4(input I0, I1, I2, I3, output O);
  parameter [15:0] LUT_INIT = 0;
  \$lut #(.WIDTH(4), .LUT(LUT_INIT)) lut (.A({I3, I2, I1, I0}), .Y(O));
endmodule

module SB_CARRY(input I0, I1, CI, output CO);
  assign CO = I0 & I1 | (I0 | I1) & CI;
endmodule

module MUXF7(input I0, I1, S, output O);
  assign O = S ? I1 : I0;
endmodule

module MUXF8(input I0, I1, S, output O);
  assign O = S ? I1 : I0;
endmodule

module PFUMX(input ALUT, BLUT, C0, output Z);
  assign Z = C0 ? ALUT : BLUT;
endmodule

module L6MUX21(input D0, D1, SD, output Z);
  assign Z = SD ? D1 : D0;
endmodule

module CARRY4(output [3:0] CO, O, input CI, CYINIT, input [3:0] DI, S);
  wire [4:0] c = {CO, CI | CYINIT};
  assign O = S ^ c[3:0];
  assign CO = S & c[3:0] | ~S & DI;
endmodule

module INV(input I, output O);
  assign O = ~I;
endmodule

module IBUF(input I, output O);
  assign O = I;
endmodule

module OBUF(input I, output O);
  assign O = I;
endmodule

module BUFG(input I, output O);
  assign O = I;
endmodule

module VCC(output P);
  assign P = 1;
endmodule

module GND(output G);
  assign G = 0;
endmodule

module FDRE(input C, CE, R, D, output reg Q);
  parameter [0:0] INIT = 0;
  always @(posedge C) if (R) Q <= 0; else if (CE) Q <= D;
endmodule

module FDSE(input C, CE, S, D, output reg Q);
  parameter [0:0] INIT = 1;
  always @(posedge C) if (S) Q <= 1; else if (CE) Q <= D;
endmodule

module FDCE(input C, CE, CLR, D, output reg Q);
  parameter [0:0] INIT = 0;
  always @(posedge C, posedge CLR) if (CLR) Q <= 0; else if (CE) Q <= D;
endmodule

module FDPE(input C, CE, PRE, D, output reg Q);
  parameter [0:0] INIT = 1;
  always @(posedge C, posedge PRE) if (PRE) Q <= 1; else if (CE) Q <= D;
endmodule

module SB_DFF(input C, D, output reg Q);
  always @(posedge C) Q <= D;
endmodule

module SB_DFFE(input C, E, D, output reg Q);
  always @(posedge C) if (E) Q <= D;
endmodule

module SB_DFFSR(input C, R, D, output reg Q);
  always @(posedge C) if (R) Q <= 0; else Q <= D;
endmodule
