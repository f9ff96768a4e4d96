// Which of two 8-bit words has more ones, in a pipeline of two stages: a classifier that nobody trained.
module more_ones(input clk, input rst, input [7:0] a, input [7:0] b, output reg a_has_more);
  reg [3:0] n_a, n_b;

  function [3:0] ones(input [7:0] word);
    integer i;
    begin
      ones = 0;
      for (i = 0; i < 8; i = i + 1) ones = ones + word[i];
    end
  endfunction

  always @(posedge clk)
    if (rst) begin
      n_a <= 0;
      n_b <= 0;
      a_has_more <= 0;
    end else begin
      n_a <= ones(a);
      n_b <= ones(b);
      a_has_more <= n_a > n_b;
    end
endmodule
